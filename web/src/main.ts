import { createApp } from 'vue'
import App from './App.vue'
import { core } from './core/client'

createApp(App, { core: core() }).mount('#app')
