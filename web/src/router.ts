import { createRouter, createWebHashHistory } from 'vue-router'

import { t } from './i18n'
import HouseholdsScreen from './screens/HouseholdsScreen.vue'
import RecordScreen from './screens/RecordScreen.vue'
import TasksScreen from './screens/TasksScreen.vue'
import TodayScreen from './screens/TodayScreen.vue'
import VisitScreen from './screens/VisitScreen.vue'
import { sayBriefly } from './state/said'
import { closeTopmost } from './state/sheets'

/**
 * Where everything is. Addresses live behind the `#`, so that every start is the same file and no server need know them.
 *
 * `tab` is the place in the tab bar that a screen belongs to. Screens of a day's work are in the first script; the rest come
 * when they are opened, from the phone itself; but for the import of lists, which comes when it is first opened.
 */
export const router = createRouter({
  history: createWebHashHistory(),
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
  routes: [
    { path: '/', name: 'today', component: TodayScreen, meta: { tab: 'today' } },
    { path: '/visit', name: 'visit', component: VisitScreen, meta: { tab: 'visit' } },
    { path: '/households', name: 'households', component: HouseholdsScreen, meta: { tab: 'households' } },
    { path: '/tasks', name: 'tasks', component: TasksScreen, meta: { tab: 'tasks' } },
    { path: '/record/:journal/:record', name: 'record', component: RecordScreen, meta: { tab: '' } },
    { path: '/record/:journal/:record/:action', name: 'step', component: () => import('./screens/StepScreen.vue'), meta: { tab: '' } },
    { path: '/new/:kind', name: 'new', component: () => import('./screens/NewScreen.vue'), meta: { tab: '' } },
    { path: '/kind/:kind', name: 'kind', component: () => import('./screens/KindScreen.vue'), meta: { tab: 'more' } },
    { path: '/paper/:paper', name: 'paper', component: () => import('./screens/PaperScreen.vue'), meta: { tab: 'more' } },
    { path: '/checks', name: 'checks', component: () => import('./screens/ChecksScreen.vue'), meta: { tab: 'more' } },
    { path: '/import', name: 'import', component: () => import('./screens/ImportScreen.vue'), meta: { tab: 'more' } },
    { path: '/outbox', name: 'outbox', component: () => import('./screens/OutboxScreen.vue'), meta: { tab: 'more' } },
    { path: '/more', name: 'more', component: () => import('./screens/MoreScreen.vue'), meta: { tab: 'more' } },
    { path: '/me', name: 'me', component: () => import('./screens/MeScreen.vue'), meta: { tab: 'more' } },
    { path: '/pin', name: 'pin', component: () => import('./screens/PinScreen.vue'), meta: { tab: 'more' } },
    { path: '/log-in', name: 'login', component: () => import('./screens/LogInScreen.vue'), meta: { tab: 'more' } },
    { path: '/enrol', name: 'enrol', component: () => import('./screens/EnrolAgainScreen.vue'), meta: { tab: 'more' } },
    { path: '/notebook', name: 'notebook', component: () => import('./screens/NotebookScreen.vue'), meta: { tab: 'more' } },
    { path: '/notebook/:key', name: 'note', component: () => import('./screens/NoteScreen.vue'), meta: { tab: 'more' } },
    { path: '/feedback', name: 'feedback', component: () => import('./screens/FeedbackScreen.vue'), meta: { tab: 'more' } },
    { path: '/about', name: 'about', component: () => import('./screens/AboutScreen.vue'), meta: { tab: 'more' } },
    { path: '/:rest(.*)', redirect: '/' },
  ],
})

// The phone's back key closes what lies on the screen, and leaves the screen only then.
router.beforeEach(() => !closeTopmost())
// Whoever has no network the first time is told, and stays where he is.
router.onError((_, to) => {
  if (to.name === 'import') sayBriefly(t('error.not_here'), 'grave')
})
