import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'
import { VitePWA } from 'vite-plugin-pwa'
import app from './package.json' with { type: 'json' }

export default defineConfig({
  plugins: [
    vue(),
    VitePWA({
      // A new version waits until its person says so: it never interrupts a form.
      registerType: 'prompt',
      workbox: {
        // Everything needed to work with no signal, the core among it.
        globPatterns: ['**/*.{html,js,css,wasm,svg,png,woff2}'],
        maximumFileSizeToCacheInBytes: 8 * 1024 * 1024,
        navigateFallbackDenylist: [/^\/v1\//],
      },
      manifest: {
        name: '驻村 Zhucun',
        short_name: '驻村',
        lang: 'zh-CN',
        display: 'standalone',
        start_url: '/',
        background_color: '#ffffff',
        theme_color: '#1f6f4a',
        icons: [{ src: '/icon.svg', sizes: 'any', type: 'image/svg+xml', purpose: 'any' }],
      },
    }),
  ],
  define: { __APP_VERSION__: JSON.stringify(app.version) },
  worker: { format: 'es' },
  build: { target: 'es2022', sourcemap: false },
  test: {
    environment: 'node',
    include: ['test/**/*.test.ts'],
    // The PIN is stretched on purpose.
    testTimeout: 60_000,
  },
})
