/**
 * A headless Chromium, driven through the DevTools protocol over a pipe: no port, no other package. Set-up installs it for
 * the slow tests.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { GiveUp, waitFor } from './wait.ts'

interface Reply {
  readonly id?: number
  readonly result?: Record<string, unknown>
  readonly error?: { readonly message: string }
  readonly method?: string
  readonly params?: Record<string, unknown>
}

export interface Viewport {
  readonly width: number
  readonly height: number
  readonly scheme?: 'light' | 'dark'
  /** Device pixels per CSS pixel. */
  readonly scale?: number
}

/** A node of the accessibility tree, as assistive technology meets it. */
export interface AccessibleNode {
  readonly nodeId: string
  readonly parentId?: string
  readonly ignored: boolean
  readonly role?: { readonly value: string }
  readonly name?: { readonly value: string }
  readonly properties?: readonly { readonly name: string; readonly value: { readonly value: unknown } }[]
}

/** For node:test: false, or why tests that need a browser are skipped (only under --allow-missing). */
export function withoutBrowser(): false | string {
  if (process.env['KEA_TEST_ALLOW_MISSING'] === undefined) return false
  return spawnSync('chromium', ['--version']).error === undefined ? false : 'chromium is not installed'
}

export class Browser {
  readonly #child: ChildProcess
  readonly #folder: string
  readonly #pending = new Map<
    number,
    { resolve: (value: Record<string, unknown>) => void; reject: (error: Error) => void }
  >()
  readonly #listeners: ((message: Reply) => void)[] = []
  #lastId = 0
  #unread = ''
  #errors = ''

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child
    this.#folder = folder
    const output = child.stdio[4] as Readable
    output.setEncoding('utf8')
    output.on('data', (text: string) => this.#read(text))
    child.stderr!.on('data', (data) => {
      this.#errors = (this.#errors + data).slice(-4000)
    })
    child.on('exit', () => {
      for (const { reject } of this.#pending.values())
        reject(new Error(`Chromium has ended: ${this.#errors}`))
      this.#pending.clear()
    })
  }

  static async start(): Promise<Browser> {
    const folder = mkdtempSync(join(tmpdir(), 'alq-browser-'))
    const child = spawn(
      'chromium',
      [
        '--headless=new',
        '--no-sandbox', // Root has none; only our own page is opened.
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--no-first-run',
        '--hide-scrollbars',
        '--force-color-profile=srgb',
        '--lang=en-GB',
        `--user-data-dir=${folder}`,
        '--remote-debugging-pipe',
        'about:blank',
      ],
      {
        stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
        env: { ...process.env, HOME: folder, LANG: 'en_GB.UTF-8', TZ: 'UTC' },
      },
    )
    await new Promise((resolve, reject) => child.on('spawn', resolve).on('error', reject))
    return new Browser(child, folder)
  }

  /** Opens a page and returns when it has loaded. */
  async open(url: string, viewport: Viewport): Promise<Page> {
    const { targetId } = (await this.send('Target.createTarget', { url: 'about:blank' })) as {
      targetId: string
    }
    const { sessionId } = (await this.send('Target.attachToTarget', { targetId, flatten: true })) as {
      sessionId: string
    }
    const page = new Page(this, sessionId)
    for (const domain of ['Page', 'Runtime', 'Log', 'DOM', 'CSS', 'Accessibility', 'Network']) {
      await page.send(`${domain}.enable`)
    }
    await page.resize(viewport)
    await page.go(url)
    return page
  }

  send(method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> {
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject })
      const to = this.#child.stdio[3] as Writable
      to.write(
        `${JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`,
      )
    })
  }

  onMessage(listener: (message: Reply) => void): void {
    this.#listeners.push(listener)
  }

  #read(text: string): void {
    const parts = (this.#unread + text).split('\0')
    this.#unread = parts.pop()!
    for (const part of parts) {
      const message = JSON.parse(part) as Reply
      const asked = message.id === undefined ? undefined : this.#pending.get(message.id)
      if (asked === undefined) {
        for (const listener of this.#listeners) listener(message)
        continue
      }
      this.#pending.delete(message.id!)
      if (message.error === undefined) asked.resolve(message.result ?? {})
      else asked.reject(new Error(message.error.message))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = new Promise((resolve) => this.#child.once('exit', resolve))
      this.#child.kill('SIGKILL')
      await gone
    }
    // Its helpers may still write for a moment.
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
}

export class Page {
  readonly #browser: Browser
  readonly #sessionId: string
  /** What the console and the browser complained of: exceptions, refused scripts and styles. */
  readonly complaints: string[] = []

  constructor(browser: Browser, sessionId: string) {
    this.#browser = browser
    this.#sessionId = sessionId
    browser.onMessage(({ method, params }) => {
      if (method === 'Runtime.exceptionThrown') this.complaints.push(JSON.stringify(params))
      const entry = params?.['entry'] as { level: string; text: string; url?: string } | undefined
      if (method === 'Log.entryAdded' && entry?.level === 'error') {
        this.complaints.push(`${entry.text} ${entry.url ?? ''}`)
      }
    })
  }

  send(method: string, params: object = {}): Promise<Record<string, unknown>> {
    return this.#browser.send(method, params, this.#sessionId)
  }

  async go(url: string): Promise<void> {
    await this.send('Page.navigate', { url })
    await this.until(
      'the page to load',
      `location.href === ${JSON.stringify(url)} && document.readyState === 'complete'`,
    )
  }

  async resize({ width, height, scheme = 'light', scale = 1 }: Viewport): Promise<void> {
    const metrics = { width, height, deviceScaleFactor: scale, mobile: width < 600 }
    await this.send('Emulation.setDeviceMetricsOverride', metrics)
    const features = [
      { name: 'prefers-color-scheme', value: scheme },
      { name: 'prefers-reduced-motion', value: 'reduce' },
    ]
    await this.send('Emulation.setEmulatedMedia', { features })
  }

  /** The value of an expression; what it gives must be JSON. */
  async evaluate<T>(expression: string): Promise<T> {
    const answer = (await this.send('Runtime.evaluate', {
      expression,
      returnByValue: true,
      awaitPromise: true,
    })) as {
      result: { value: T }
      exceptionDetails?: { text: string; exception?: { description?: string } }
    }
    const { exceptionDetails: failure } = answer
    if (failure !== undefined) throw new GiveUp(`${failure.text} ${failure.exception?.description ?? ''}`)
    return answer.result.value
  }

  /** Waits until an expression holds, and gives its value. */
  until<T>(what: string, expression: string): Promise<T> {
    return waitFor(what, () => this.evaluate<T>(expression))
  }

  /** All that is to be read on the page. */
  text(): Promise<string> {
    return this.evaluate('document.body.innerText')
  }

  async accessibilityTree(): Promise<readonly AccessibleNode[]> {
    const { nodes } = (await this.send('Accessibility.getFullAXTree')) as { nodes: readonly AccessibleNode[] }
    return nodes.filter(({ ignored }) => !ignored)
  }

  /** The page from top to bottom as a PNG. */
  async screenshot(path: string): Promise<void> {
    const { data } = (await this.send('Page.captureScreenshot', {
      format: 'png',
      captureBeyondViewport: true,
    })) as { data: string }
    writeFileSync(path, Buffer.from(data, 'base64'))
  }

  async press(key: string): Promise<void> {
    const codes: Readonly<Record<string, number>> = { Tab: 9, Enter: 13 }
    const event = {
      key,
      code: key,
      windowsVirtualKeyCode: codes[key],
      text: key === 'Enter' ? '\r' : undefined,
    }
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', ...event })
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...event })
  }
}
