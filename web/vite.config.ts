import vue from '@vitejs/plugin-vue'
import { VitePWA } from 'vite-plugin-pwa'
import { defineConfig } from 'vitest/config'

import { version } from './package.json' with { type: 'json' }
import { compiledMessages } from './vite/messages.ts'
import { noIconFont } from './vite/no-icon-font.ts'
import { pinyinTable } from './vite/pinyin.ts'

/** Where a server runs that a page under development talks to. */
const SERVER = process.env['SERVER'] ?? 'http://127.0.0.1:8787'

/** Screens that are loaded when they are opened, from the phone. */
const REST =
  /src\/(steps\/|screens\/(About|Broken|Checks|Cleared|Destroyed|Elsewhere|EnrolAgain|Enrol|Feedback|Kind|LogIn|Me|More|New|Note|Notebook|Outbox|Paper|Pin|Step)Screen)/

/** Parts that a phone can do without on its first day; and what imports lists, which most phones never need. */
const LATER = ['en', 'en-US', 'qr', 'decode', 'CodesSheet', 'ScanSheet', 'ImportScreen', 'reader', 'web_lists_bg']

export default defineConfig({
  plugins: [
    vue(),
    noIconFont(),
    compiledMessages(),
    pinyinTable(),
    VitePWA({
      // A new version waits until its person takes it: it never interrupts a form.
      registerType: 'prompt',
      // Registered by src/state/update.ts, which keeps to Trusted Types.
      injectRegister: false,
      strategies: 'generateSW',
      // The browser takes these itself when it installs the app; nothing works by them.
      includeManifestIcons: false,
      workbox: {
        globPatterns: ['**/*.{html,js,css,wasm,svg,webmanifest}'],
        // What src/state/later.ts fetches when there is time is kept then, and what imports lists when it is first used.
        globIgnores: LATER.map((name) => `**/${name}-*`),
        runtimeCaching: [{ urlPattern: /\/assets\//, handler: 'CacheFirst', options: { cacheName: 'later' } }],
        maximumFileSizeToCacheInBytes: 8 * 1024 * 1024,
        navigateFallback: '/index.html',
        navigateFallbackDenylist: [/^\/v1\//, /^\/docs/, /^\/health/],
        // The page that installs the app works without a network at once, not only from the next start on.
        clientsClaim: true,
        cleanupOutdatedCaches: true,
        // One script, so that the worker imports nothing.
        inlineWorkboxRuntime: true,
        sourcemap: false,
      },
      manifest: {
        id: '/',
        name: '驻村',
        short_name: '驻村',
        description: '驻村工作队的走访与帮扶记录，没有信号也能用',
        lang: 'zh-CN',
        dir: 'ltr',
        start_url: '/',
        scope: '/',
        display: 'standalone',
        background_color: '#f5f4ef',
        theme_color: '#1f5a4f',
        icons: [
          { src: '/icon.svg', type: 'image/svg+xml', sizes: 'any' },
          { src: '/icon-192.png', type: 'image/png', sizes: '192x192' },
          { src: '/icon-512.png', type: 'image/png', sizes: '512x512' },
          { src: '/icon-maskable-512.png', type: 'image/png', sizes: '512x512', purpose: 'maskable' },
        ],
      },
    }),
  ],
  define: {
    __VUE_OPTIONS_API__: 'false',
    __VUE_PROD_DEVTOOLS__: 'false',
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
    __VUE_I18N_FULL_INSTALL__: 'false',
    __VUE_I18N_LEGACY_API__: 'false',
    __INTLIFY_PROD_DEVTOOLS__: 'false',
    __APP_VERSION__: JSON.stringify(version),
  },
  worker: { format: 'es', plugins: () => [pinyinTable()] },
  build: {
    target: 'es2022',
    // Every asset is a file: the content policy allows no `data:` but for pictures.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // Screens of no everyday use are one file: each request on a bad line costs more than what it could save.
    rolldownOptions: {
      output: { codeSplitting: { groups: [{ name: 'rest', test: REST }] } },
    },
  },
  server: { proxy: { '/v1': SERVER } },
  preview: { proxy: { '/v1': SERVER } },
  test: {
    environment: 'node',
    include: ['test/**/*.test.ts'],
    // The PIN is stretched on purpose.
    testTimeout: 60_000,
  },
})
