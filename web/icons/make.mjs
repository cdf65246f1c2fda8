// Draws the app's icons from one drawing: a roof over a tick, in the app's own green.
//
//   npm run icons

import { writeFileSync } from 'node:fs'

import { Resvg } from '@resvg/resvg-js'

const GREEN = '#1f5a4f'
const PAPER = '#f5f4ef'
const AMBER = '#e0a33b'

/** The drawing on a square of 512; `scale` keeps it within what a launcher may cut away. */
function drawing({ corner, scale }) {
  const shift = (512 * (1 - scale)) / 2
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 512 512">
  <rect width="512" height="512" rx="${corner}" fill="${GREEN}"/>
  <g transform="translate(${shift} ${shift}) scale(${scale})" fill="none" stroke-linecap="round" stroke-linejoin="round">
    <path d="M96 246 256 116l160 130" stroke="${PAPER}" stroke-width="40"/>
    <path d="M138 262v134h236V262" stroke="${PAPER}" stroke-width="36"/>
    <path d="m196 316 44 42 80-88" stroke="${AMBER}" stroke-width="36"/>
  </g>
</svg>
`
}

function png(name, size, svg) {
  const drawn = new Resvg(svg, { fitTo: { mode: 'width', value: size } }).render()
  writeFileSync(new URL(`../public/${name}`, import.meta.url), drawn.asPng())
}

const rounded = drawing({ corner: 112, scale: 0.94 })
const whole = drawing({ corner: 0, scale: 0.72 })
writeFileSync(new URL('../public/icon.svg', import.meta.url), rounded)
png('icon-192.png', 192, rounded)
png('icon-512.png', 512, rounded)
png('icon-180.png', 180, drawing({ corner: 0, scale: 0.86 }))
png('icon-maskable-512.png', 512, whole)
