// A phone in somebody's hand: what he taps and reads, by the words on the screen.

export const PIN = '258013'

/** Long enough for a machine that builds something else meanwhile. */
const PATIENCE_MILLIS = 20_000

export class Phone {
  /** What the browser complained of, and every address that was asked of anybody else. */
  complaints = []
  strangers = []

  constructor(context, address) {
    this.context = context
    this.address = address
  }

  /** A phone that nobody has enrolled yet. */
  static async take(browser, address, options = {}) {
    const context = await browser.newContext({ viewport: { width: 360, height: 780 }, hasTouch: true, locale: 'zh-CN', ...options })
    context.setDefaultTimeout(PATIENCE_MILLIS)
    const phone = new Phone(context, address)
    context.on('request', (request) => {
      if (!request.url().startsWith(address) && !request.url().startsWith('blob:')) phone.strangers.push(request.url())
    })
    await phone.open()
    return phone
  }

  /** Opens the app, on a screen. */
  async open(screen = '') {
    this.page = await this.context.newPage()
    this.page.on('pageerror', (error) => this.complaints.push(error.message))
    this.page.on('console', (said) => {
      const offline = /net::ERR_INTERNET_DISCONNECTED|502/.test(said.text())
      if (said.type() === 'error' && !offline) this.complaints.push(said.text())
    })
    await this.page.goto(`${this.address}${screen}`)
  }

  /** Everything that the app needs is on the phone. */
  async installed() {
    await this.page.evaluate(async () => {
      await navigator.serviceWorker.ready
      if (!navigator.serviceWorker.controller) {
        await new Promise((resolve) => navigator.serviceWorker.addEventListener('controllerchange', resolve, { once: true }))
      }
    })
  }

  /** The system kills the app, with all that it was doing. */
  async crash() {
    const killed = this.page
    const browser = await this.context.newCDPSession(killed)
    const crashed = killed.waitForEvent('crash')
    browser.send('Page.crash').catch(() => undefined)
    await crashed
    await killed.close()
  }

  /** The battery is dead in the middle of a sentence. */
  async die() {
    await this.page.close({ runBeforeUnload: false })
  }

  async enrol(code) {
    await this.page.getByLabel('登记码').fill(code)
    const [pin, again] = await this.page.locator('input[type=password]').all()
    await pin.fill(PIN)
    await again.fill(PIN)
    await this.button('登记').tap()
    await this.page.getByRole('navigation').waitFor()
  }

  async unlock(pin = PIN) {
    for (const digit of pin) await this.button(digit).tap()
    await this.button('解锁').tap()
  }

  button(name, within = this.page) {
    return within.getByRole('button', { name, exact: typeof name === 'string' })
  }

  async tab(name) {
    await this.page.getByRole('link', { name, exact: true }).tap()
  }

  async at(path) {
    await this.page.evaluate((to) => (location.hash = to), path)
  }

  async registerHousehold(name, group = '') {
    await this.tab('农户')
    await this.button('登记农户').tap()
    await this.page.getByLabel('户主姓名').fill(name)
    if (group) await this.page.getByLabel('村民组').fill(group)
    await this.button('保存').tap()
    await this.button('记走访').waitFor()
  }

  async openHousehold(name) {
    await this.tab('农户')
    await this.page.locator('button.line', { hasText: name }).tap()
    await this.button('记走访').waitFor()
  }

  /** A field of the record that is on the screen. */
  line(field) {
    return this.page.locator('button.in', { has: this.page.getByText(field, { exact: true }) })
  }

  /** Writes one field of the record that is on the screen. Those that hold nothing yet are folded away. */
  async write(field, value) {
    const more = this.button(/^补充填写/)
    await this.line(field).or(more).first().waitFor()
    if (!(await this.line(field).isVisible())) await more.tap()
    await this.line(field).tap()
    const sheet = this.page.locator('.sheet')
    await sheet.locator('input, textarea').first().fill(value)
    await this.button('保存', sheet).tap()
    await sheet.waitFor({ state: 'hidden' })
  }

  /** The small mark at the head of every screen says that nothing is unsent. */
  async allReceived() {
    await this.page.locator('.mark', { hasText: '全部已收到' }).waitFor()
  }

  /** Syncs, within `timeout` milliseconds if the usual ones are too few. */
  async syncByHand(timeout) {
    await this.at('/outbox')
    await this.button('现在同步').tap({ timeout })
    await this.page.getByText(/同步完成/).waitFor({ timeout })
  }
}
