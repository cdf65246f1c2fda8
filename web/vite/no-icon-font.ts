import type { Plugin } from 'vite'

/**
 * Leaves Vant's icon font out.
 *
 * Its style sheet holds 25 KB of font and names a third party's server beside it; the app draws its own icons (src/parts/icons.ts)
 * and asks nobody but its own server for anything. Vant's components are used without their icons.
 */
export function noIconFont(): Plugin {
  return {
    name: 'no-icon-font',
    enforce: 'pre',
    transform(_code, id) {
      return id.includes('/vant/es/icon/index.css') ? '' : null
    },
  }
}
