import './parts/vant'
import './styles/tokens.css'
import './styles/base.css'

import { createApp } from 'vue'

import App from './App.vue'
import { connect } from './core/client'
import workerAddress from './core/worker?worker&url'
import { i18n } from './i18n'
import { router } from './router'
import { startWith } from './state/core'
import { fetchTheRest } from './state/later'
import { lockWhenIdle } from './state/lock'
import { followDark, readSettings } from './state/settings'
import { keepSyncing } from './state/syncing'
import { ownScript } from './state/trust'
import { installWorker } from './state/update'

followDark()
const app = createApp(App).use(i18n).use(router)
// The core works in a thread of its own: nothing that it does makes a finger wait.
const core = connect(() => new Worker(ownScript(workerAddress), { type: 'module', name: 'core' }))
void startWith(core)
  .then(readSettings)
  .catch(() => undefined)
  .finally(() => {
    app.mount('#app')
    keepSyncing()
    lockWhenIdle()
    installWorker()
    fetchTheRest()
  })
