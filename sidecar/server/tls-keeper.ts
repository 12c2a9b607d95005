// The TLS of one service over time: files are read, read again, refused, and run out.
import type { ServiceConfig } from '../config.ts'
import { reasonOf, SidecarError } from '../errors.ts'
import type { Log } from '../log.ts'
import { TlsUpgrader } from './tls.ts'
import { readTlsFiles, type TlsMaterial, type TlsPlaces } from './tls-files.ts'

const DAY_MS = 86_400_000
/** How long before its end a certificate is told of, once a day. */
const EXPIRES_SOON_MS = 30 * DAY_MS
/** Files that could not be used are tried again. */
const RETRY_MS = 60_000

export class TlsKeeper {
  readonly #log: Log
  /** `--tls-ca`, `--tls-cert`, `--tls-key`: instead of what kea.conf says. */
  readonly #pinned: Partial<TlsPlaces>
  #places: TlsPlaces | undefined
  #upgrader: TlsUpgrader | undefined
  #material: TlsMaterial | undefined
  #problem: { readonly parameter: string; readonly text: string } | undefined
  #toldExpiryAt = Number.NEGATIVE_INFINITY
  #triedAt = Number.NEGATIVE_INFINITY

  constructor(log: Log, pinned: Partial<TlsPlaces> = {}) {
    this.#log = log
    this.#pinned = pinned
  }

  /** undefined: there are no files that could be used, ever; nothing can be served. */
  get upgrader(): TlsUpgrader | undefined {
    return this.#upgrader
  }

  /** What is wrong with the files as they are now; older ones may be in use. */
  get problem(): { readonly parameter: string; readonly text: string } | undefined {
    return this.#problem
  }

  /** New parameters. Without TLS in them all is forgotten. */
  configure({ tls }: Pick<ServiceConfig, 'tls'>): void {
    if (tls.mode === 'off') {
      this.#places = undefined
      this.#upgrader = undefined
      this.#material = undefined
      this.#problem = undefined
      return
    }
    this.#places = { ...tls, ...this.#pinned }
    this.reload()
  }

  /** Reads the files again. Bad ones leave the former in use. */
  reload(): void {
    const places = this.#places
    if (places === undefined) return
    this.#triedAt = performance.now()
    try {
      const material = readTlsFiles(places)
      if (JSON.stringify(material) !== JSON.stringify(this.#material)) this.#use(material, places)
      this.#problem = undefined
    } catch (error) {
      const text = reasonOf(error)
      const parameter =
        error instanceof SidecarError && 'parameter' in error.fields
          ? String(error.fields.parameter)
          : 'tls.cert-file'
      if (this.#problem?.text !== text) {
        if (this.#upgrader === undefined) this.#log.tlsMissing({ parameter, reason: text })
        else this.#log.tlsKept({ parameter, reason: text })
      }
      this.#problem = { parameter, text }
    }
  }

  /**
   * Called now and then: tells of a certificate that ends soon, and tries files again that could not be used.
   * @param wallMs Unix milliseconds
   * @returns whether something changed that the service has to look at
   */
  check(wallMs: number): boolean {
    this.#tellExpiry(wallMs)
    if (this.#problem === undefined || performance.now() - this.#triedAt < RETRY_MS) return false
    this.reload()
    return this.#problem === undefined
  }

  #use(material: TlsMaterial, places: TlsPlaces): void {
    try {
      if (this.#upgrader === undefined) this.#upgrader = new TlsUpgrader(material)
      else this.#upgrader.replace(material)
    } catch (error) {
      const { certFile: path } = places
      const fields = { parameter: 'tls.cert-file', path, reason: reasonOf(error) }
      throw new SidecarError('ALQ_TLS_FILE', fields, { cause: error })
    }
    this.#material = material
    this.#toldExpiryAt = Number.NEGATIVE_INFINITY
    this.#log.tlsLoaded({
      path: places.certFile,
      authorities: material.ca.length,
      until: new Date(material.expires).toISOString(),
    })
  }

  #tellExpiry(wallMs: number): void {
    if (this.#material === undefined || this.#places === undefined) return
    const left = this.#material.expires - wallMs
    if (left > EXPIRES_SOON_MS || performance.now() - this.#toldExpiryAt < DAY_MS) return
    this.#toldExpiryAt = performance.now()
    const { certFile: path } = this.#places
    if (left > 0) this.#log.tlsExpires({ path, days: Math.floor(left / DAY_MS) })
    else this.#log.tlsExpired({ path })
  }
}
