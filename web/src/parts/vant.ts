// The styles of the Vant components that the app uses. The components themselves are imported where they stand, so that the build
// keeps those alone; a component that is not named here comes without its looks.
import 'vant/es/button/style/index'
import 'vant/es/dialog/style/index'
import 'vant/es/popup/style/index'
import 'vant/es/switch/style/index'
