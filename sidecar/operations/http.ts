// The operators' HTTP server: a status page, health checks, metrics. Small and bounded; nothing that happens here may delay a
// requestor, and a port that is taken keeps nobody from being served.
import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { codeOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { namesThisHost } from './host-check.ts'
import { formatPlace, type OperationsPlace } from './place.ts'
import type { Viewers } from './viewers.ts'

export interface Answer {
  /** 200 unless given. */
  readonly code?: number
  readonly type: string
  readonly body: string | Buffer
}

export type Route = () => Answer

export const MAX_CONNECTIONS = 64
const MAX_HEADER_OCTETS = 8 * 1024
/** To send a request, and between two on one connection. */
const REQUEST_MS = 5_000
const RETRY_MS = 5_000

const security = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
} as const

export interface OperationsServerOptions {
  readonly place: OperationsPlace
  /** By path. */
  readonly routes: ReadonlyMap<string, Route>
  /** Those of `/events`. */
  readonly viewers: Viewers
  readonly log: Log
  /** Milliseconds until it is tried again to listen. */
  readonly retryMs?: number
}

export class OperationsServer {
  readonly #options: OperationsServerOptions
  #server: Server | undefined
  #retry: NodeJS.Timeout | undefined
  #hasFailed = false
  #isClosed = false

  /** Begins to listen; where it cannot it says so, and tries again now and then. */
  constructor(options: OperationsServerOptions) {
    this.#options = options
    this.#open()
  }

  /** Resolves when the port is free. */
  async stop(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#retry)
    const server = this.#server
    if (server === undefined) return
    this.#options.viewers.close()
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeAllConnections()
    await closed
  }

  #open(): void {
    const { place, log } = this.#options
    const server = createServer(
      {
        maxHeaderSize: MAX_HEADER_OCTETS,
        headersTimeout: REQUEST_MS,
        requestTimeout: REQUEST_MS,
        keepAliveTimeout: REQUEST_MS,
        connectionsCheckingInterval: 1_000,
      },
      (request, response) => this.#answer(request, response),
    )
    this.#server = server
    server.maxConnections = MAX_CONNECTIONS
    server.on('error', (error) => {
      if (this.#isClosed) return
      if (!this.#hasFailed) log.operationsFailed({ place: formatPlace(place), error })
      this.#hasFailed = true
      this.#openLater(codeOf(error))
    })
    server.on('listening', () => {
      this.#hasFailed = false
      if (place.kind === 'unix') chmodSync(place.path, 0o660)
      log.operationsStarted({ place: formatPlace(boundPlace(place, server)) })
    })
    if (place.kind === 'unix') server.listen({ path: place.path })
    else server.listen({ host: place.address, port: place.port })
  }

  #openLater(code: string): void {
    const { place, retryMs = RETRY_MS } = this.#options
    this.#retry = setTimeout(() => this.#open(), retryMs)
    if (place.kind !== 'unix' || code !== 'EADDRINUSE') return
    // A socket that nobody listens on was left by a run that did not end in order.
    const probe = connect({ path: place.path })
    probe.on('connect', () => probe.destroy())
    probe.on('error', (error) => {
      if (codeOf(error) !== 'ECONNREFUSED' || this.#isClosed) return
      try {
        if (!lstatSync(place.path).isSocket()) return
        unlinkSync(place.path)
      } catch {
        return // Not ours to remove: the log has said that it is taken.
      }
      clearTimeout(this.#retry)
      this.#open()
    })
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { place, routes, viewers } = this.#options
    const { method = '', headers, socket } = request
    const path = (request.url ?? '').split('?', 1)[0]!
    if (!namesThisHost(place, headers.host, socket.localAddress)) {
      refuse(response, 403, 'The Host header names another host: ask by an address or name of this one.')
    } else if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      refuse(response, 405, 'Only GET and HEAD are answered.')
    } else if (path === '/events') {
      watch(response, viewers, method)
    } else {
      const route = routes.get(path)
      if (route === undefined) refuse(response, 404, 'There is nothing here.')
      else this.#run(route, path, response)
    }
  }

  /** A mistake of ours in what operators look at must not end the service of requestors. */
  #run(route: Route, path: string, response: ServerResponse): void {
    let answer: Answer
    try {
      answer = route()
    } catch (error) {
      this.#options.log.operationsMistake({ path, error, stack: (error as Error)?.stack ?? '' })
      refuse(response, 500, 'This cannot be answered; the log says why.')
      return
    }
    send(response, answer)
  }
}

function watch(response: ServerResponse, viewers: Viewers, method: string): void {
  if (viewers.isFull) {
    refuse(response, 503, 'Too many look at this page already.')
    return
  }
  response.writeHead(200, { ...security, 'content-type': 'text/event-stream' })
  if (method === 'HEAD') response.end()
  else viewers.add(response)
}

function refuse(response: ServerResponse, code: number, text: string): void {
  // What else such a request carries is not waited for.
  response.setHeader('connection', 'close')
  send(response, { code, type: 'text/plain; charset=utf-8', body: `${text}\n` })
}

function send(response: ServerResponse, { code = 200, type, body }: Answer): void {
  response.writeHead(code, {
    ...security,
    'content-type': type,
    'content-length': Buffer.byteLength(body),
  })
  response.end(body)
}

/** With the port that is used, where any would do. */
function boundPlace(place: OperationsPlace, server: Server): OperationsPlace {
  const bound = server.address()
  if (place.kind === 'unix' || bound === null || typeof bound === 'string') return place
  return { ...place, port: bound.port }
}
