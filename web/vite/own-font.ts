import type { Plugin } from 'vite'

/**
 * Takes Vant's icon font out of its style sheet and serves it as a file of our own.
 *
 * As it comes, the sheet holds the font in a `data:` address and names a third party's server beside it. The app asks nobody but
 * its own server for anything, and its content policy allows fonts from there alone.
 */
export function ownFont(): Plugin {
  const NAME = 'icons.woff2'
  let font: Buffer | null = null
  return {
    name: 'own-font',
    enforce: 'pre',
    transform(code, id) {
      if (!id.includes('/vant/es/icon/index.css')) return null
      const held = /url\(data:font\/woff2;charset=utf-8;base64,([^)]+)\)/.exec(code)
      const from = code.indexOf('src:')
      const to = code.indexOf('}', from)
      if (!held?.[1] || from < 0 || to < 0) throw new Error('the icon font is no longer where it was in Vant’s style sheet')
      font = Buffer.from(held[1], 'base64')
      return `${code.slice(0, from)}src:url(/${NAME}) format("woff2")${code.slice(to)}`
    },
    configureServer(server) {
      server.middlewares.use(`/${NAME}`, (_request, response) => {
        response.setHeader('content-type', 'font/woff2')
        response.end(font)
      })
    },
    generateBundle() {
      if (font) this.emitFile({ type: 'asset', fileName: NAME, source: font })
    },
  }
}
