// A server with one village, and the line that leads to it.

import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const WEB = join(import.meta.dirname, '../..')
const BINARY = process.env.SERVER_BINARY ?? join(WEB, '../target/debug/zhucun')
const AREAS = join(WEB, '../tests/fixtures/areas/xiji.csv')
const VILLAGE = '640422100203'

export class Deployment {
  #data
  #server
  #front
  #port
  #passed = 0

  /** Starts a server of its own with 马建国 (first secretary) and 李秀英 (team member) in one village. */
  static async start() {
    if (!existsSync(BINARY)) throw new Error(`needs ${BINARY}: cargo xtask web && cargo build --package server`)
    const started = new Deployment()
    started.#data = mkdtempSync(join(tmpdir(), 'zhucun-browser-'))
    started.#run('bootstrap', '--system', 'han=韩志刚', '--security', 'bai=白雪', '--audit', 'ding=丁一鸣')
    started.#run('area', 'import', AREAS)
    for (const [name, whole, role] of [
      ['ma', '马建国', 'FS'],
      ['li', '李秀英', 'TM'],
    ]) {
      started.#run('user', 'add', name, whole)
      started.#run('assignment', 'give', name, role, VILLAGE)
    }
    await started.#serve()
    await started.#face()
    return started
  }

  #run(...words) {
    return execFileSync(BINARY, ['--data-dir', this.#data, ...words], { encoding: 'utf8' })
  }

  /** A code by which somebody enrols a phone. */
  code(user) {
    return this.#run('user', 'code', user, '--enrol').split(/\s/)[0]
  }

  get address() {
    return `http://localhost:${this.#front.address().port}/`
  }

  async #serve() {
    // The port is the system's choice; the server says in its log which one it is.
    this.#server = spawn(BINARY, ['--data-dir', this.#data, '--listen', '127.0.0.1:0', '--log-format', 'json', 'serve'])
    this.#port = await new Promise((resolve, reject) => {
      let said = ''
      const read = (chunk) => {
        said += chunk
        const port = /127\.0\.0\.1:(\d+)/.exec(said)?.[1]
        if (port && port !== '0') resolve(Number(port))
      }
      this.#server.stdout.on('data', read)
      this.#server.stderr.on('data', read)
      this.#server.once('exit', () => reject(new Error(`the server ended: ${said}`)))
    })
  }

  async #face() {
    this.#front = http.createServer((request, response) => this.#pass(request, response))
    await new Promise((resolve) => this.#front.listen(0, '127.0.0.1', resolve))
  }

  #pass(request, response) {
    const headers = { ...request.headers, host: `127.0.0.1:${this.#port}` }
    // Phones come from many addresses; the server spaces out the attempts of each.
    this.#passed += 1
    const localAddress = `127.0.0.${2 + (this.#passed % 200)}`
    const target = { host: '127.0.0.1', port: this.#port, localAddress, path: request.url, method: request.method, headers }
    const onward = http.request(target, (answer) => {
      response.writeHead(answer.statusCode, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.writeHead(502).end())
    request.pipe(onward)
  }

  async stop() {
    this.#front.closeAllConnections()
    this.#front.close()
    const ended = new Promise((resolve) => this.#server.once('exit', resolve))
    this.#server.kill('SIGTERM')
    await ended
    rmSync(this.#data, { recursive: true })
  }
}
