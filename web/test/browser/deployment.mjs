// A server with one village, and the line that leads to it.

import { execFileSync, spawn } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

const WEB = join(import.meta.dirname, '../..')
const BINARY = process.env.SERVER_BINARY ?? join(WEB, '../target/debug/zhucun')
const AREAS = join(WEB, '../tests/fixtures/areas/xiji.csv')
const CATALOGUE = join(WEB, '../catalog')
export const VILLAGE = '640422100203'
/** Under which the authorities filed this service, or would. */
export const FILING = '宁ICP备00000000号'

export class Deployment {
  #data
  #server
  #front
  #port
  #passed = 0
  #cut = null
  #altered = []
  #sockets = new Set()
  #carried = 0
  /** How many requests of the interface were made. */
  asked = 0
  /** How slow the line is: `{ bytesPerSecond, roundTripMillis }`, or null. */
  slow = null

  /**
   * Starts a server of its own with 马建国 (first secretary) and 李秀英 (team member) in one village; with these kinds and these people
   * besides, each as `[user, name, role, area]`.
   */
  static async start(kinds = [], people = []) {
    if (!existsSync(BINARY)) throw new Error(`needs ${BINARY}: cargo xtask web && cargo build --package server`)
    const started = new Deployment()
    started.#data = mkdtempSync(join(tmpdir(), 'zhucun-browser-'))
    started.#run('bootstrap', '--system', 'han=韩志刚', '--security', 'bai=白雪', '--audit', 'ding=丁一鸣')
    started.#run('area', 'import', AREAS)
    for (const [name, whole, role, area] of [['ma', '马建国', 'FS', VILLAGE], ['li', '李秀英', 'TM', VILLAGE], ...people]) {
      started.#run('user', 'add', name, whole)
      started.#run('assignment', 'give', name, role, area)
    }
    if (kinds.length > 0) started.#publish(kinds)
    await started.#serve()
    await started.#face()
    return started
  }

  /** Publishes the shipped catalogue with these files of kinds. */
  #publish(kinds) {
    const folder = join(this.#data, 'catalogue')
    cpSync(CATALOGUE, folder, { recursive: true })
    for (const kind of kinds) copyFileSync(kind, join(folder, 'kinds', basename(kind)))
    const header = join(folder, 'catalogue.toml')
    const next = readFileSync(header, 'utf8').replace(/^version = (\d+)/m, (_, version) => `version = ${Number(version) + 1}`)
    writeFileSync(header, next)
    this.#run('catalogue', 'publish', folder)
  }

  #run(...words) {
    return execFileSync(BINARY, ['--data-dir', this.#data, ...words], { encoding: 'utf8' })
  }

  /** A code by which somebody enrols a phone. */
  code(user) {
    return this.#run('user', 'code', user, '--enrol').split(/\s/)[0]
  }

  /** Revokes every device of somebody. */
  revoke(user, cause = 'stolen') {
    for (const line of this.#run('device', 'list', '--user', user).split('\n')) {
      const [device, , standing] = line.split('\t')
      if (standing === 'active') this.#run('device', 'revoke', device, '--cause', cause)
    }
  }

  /** The next answer from a path breaks off in the middle; resolves when it has. */
  cutNext(path) {
    return new Promise((resolve) => (this.#cut = { path, resolve }))
  }

  /** From now on what comes from a path is another text. */
  alter(path, change) {
    this.#altered.push({ path, change })
  }

  /** Bytes that went to phones, headers and all. */
  get carried() {
    return [...this.#sockets].reduce((sum, socket) => sum + socket.bytesWritten, this.#carried)
  }

  /** The server's own address, without the line before it. */
  get direct() {
    return `http://127.0.0.1:${this.#port}`
  }

  get address() {
    return `http://localhost:${this.#front.address().port}/`
  }

  async #serve() {
    // The port is the system's choice; the server says in its log which one it is.
    const words = ['--data-dir', this.#data, '--listen', '127.0.0.1:0', '--log-format', 'json', 'serve']
    this.#server = spawn(BINARY, words, { env: { ...process.env, ZHUCUN_FILING_NUMBER: FILING } })
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
    this.#front.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => {
        this.#sockets.delete(socket)
        this.#carried += socket.bytesWritten
      })
    })
    await new Promise((resolve) => this.#front.listen(0, '127.0.0.1', resolve))
  }

  #pass(request, response) {
    const headers = { ...request.headers, host: `127.0.0.1:${this.#port}` }
    if (this.#altered.some(({ path }) => path.test(request.url))) {
      delete headers['accept-encoding']
      delete headers['if-none-match']
    }
    // Phones come from many addresses; the server spaces out the attempts of each.
    this.#passed += 1
    if (request.url.startsWith('/v1/')) this.asked += 1
    const localAddress = `127.0.0.${2 + (this.#passed % 200)}`
    const target = { host: '127.0.0.1', port: this.#port, localAddress, path: request.url, method: request.method, headers }
    const onward = http.request(target, (answer) => {
      if (this.#cut?.path.test(request.url)) return this.#breakOff(answer, response)
      if (this.slow) return this.#answerSlowly(answer, request, response)
      const altered = this.#altered.findLast(({ path }) => path.test(request.url))
      if (altered) return this.#answerAltered(altered.change, answer, response)
      response.writeHead(answer.statusCode, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.writeHead(502).end())
    request.pipe(onward)
  }

  async #breakOff(answer, response) {
    const { resolve } = this.#cut
    this.#cut = null
    const body = Buffer.concat(await answer.toArray())
    response.writeHead(answer.statusCode, { ...answer.headers, 'content-length': body.length })
    response.write(body.subarray(0, body.length / 2), () => {
      response.destroy()
      resolve()
    })
  }

  async #answerSlowly(answer, request, response) {
    const { bytesPerSecond, roundTripMillis } = this.slow
    const body = Buffer.concat(await answer.toArray())
    const bytes = body.length + Number(request.headers['content-length'] ?? 0)
    await setTimeout(roundTripMillis + (1000 * bytes) / bytesPerSecond)
    response.writeHead(answer.statusCode, answer.headers)
    response.end(body)
  }

  async #answerAltered(change, answer, response) {
    const body = change(Buffer.concat(await answer.toArray()).toString())
    const { etag, ...headers } = answer.headers
    response.writeHead(answer.statusCode, { ...headers, 'content-length': Buffer.byteLength(body) })
    response.end(body)
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
