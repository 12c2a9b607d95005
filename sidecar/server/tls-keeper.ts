// The TLS of one service over time: files are read, read again, refused, and run out.
import type { ServiceConfig } from '../config.ts'
import { reasonOf, SidecarError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Authorities } from './peer-judge.ts'
import type { ServiceStatus } from './requestor-status.ts'
import type { TlsUpgrader } from './tls.ts'
import { type Ending, readTlsFiles, type TlsMaterial, type TlsPlaces } from './tls-files.ts'

const DAY_MS = 86_400_000
/** How long before its end something is told of, once a day. */
const ENDS_SOON_MS = 30 * DAY_MS
/** Files that could not be used are tried again. */
const RETRY_MS = 60_000

interface TlsProblem {
  readonly parameter: string
  readonly text: string
}

export class TlsKeeper {
  readonly #log: Log
  /** `--tls-ca`, `--tls-cert`, `--tls-key`: instead of what kea.conf says. */
  readonly #pinned: Partial<TlsPlaces>
  #places: TlsPlaces | undefined
  readonly #upgraderOf: (material: TlsMaterial) => TlsUpgrader
  #upgrader: TlsUpgrader | undefined
  #material: TlsMaterial | undefined
  #problem: TlsProblem | undefined
  /** When each thing that ends was told of last. */
  readonly #toldAt = new Map<string, number>()
  #triedAt = Number.NEGATIVE_INFINITY

  /** @param upgraderOf throws where OpenSSL does not take the material */
  constructor(log: Log, upgraderOf: (material: TlsMaterial) => TlsUpgrader, pinned: Partial<TlsPlaces> = {}) {
    this.#log = log
    this.#upgraderOf = upgraderOf
    this.#pinned = pinned
  }

  /** undefined: there are no files that could be used, ever; TLS is refused, and nothing served. */
  get upgrader(): TlsUpgrader | undefined {
    return this.#upgrader
  }

  /** By what the certificates of connections that are up are judged; undefined = there are no files that could be used. */
  get authorities(): Authorities | undefined {
    return this.#material?.authorities
  }

  /** What is wrong with the files as they are now, and what of those in use ends when. */
  get status(): ServiceStatus['tls'] {
    return {
      ready: this.#upgrader !== undefined,
      problem: this.#problem?.text ?? null,
      ends: this.#material?.ends ?? [],
    }
  }

  /**
   * What is wrong with the files as they are now (older ones may be in use), and what ends soon.
   * @param wallMs Unix milliseconds
   */
  problems(wallMs: number): readonly TlsProblem[] {
    const ending = this.#endings(wallMs).map(({ what, path, at }) => {
      const end = new Date(at).toISOString()
      return { parameter: '', text: `${what} in ${path} ${at > wallMs ? 'ends' : 'has ended'} ${end}` }
    })
    return this.#problem === undefined ? ending : [this.#problem, ...ending]
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
      if (!sameMaterial(material, this.#material)) this.#use(material, places)
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
   * Called now and then: tells of what ends soon, and tries files again that could not be used.
   * @param wallMs Unix milliseconds
   * @returns whether something changed that the service has to look at
   */
  check(wallMs: number): boolean {
    this.#tellEndings(wallMs)
    if (this.#problem === undefined || performance.now() - this.#triedAt < RETRY_MS) return false
    this.reload()
    return this.#problem === undefined
  }

  #use(material: TlsMaterial, places: TlsPlaces): void {
    try {
      if (this.#upgrader === undefined) this.#upgrader = this.#upgraderOf(material)
      else this.#upgrader.replace(material)
    } catch (error) {
      const { certFile: path } = places
      const fields = { parameter: 'tls.cert-file', path, reason: reasonOf(error) }
      throw new SidecarError('ALQ_TLS_FILE', fields, { cause: error })
    }
    this.#material = material
    this.#toldAt.clear()
    this.#log.tlsLoaded({
      path: places.certFile,
      authorities: material.ca.length,
      until: new Date(material.ends[0]!.at).toISOString(),
    })
    if (material.keyExposed) this.#log.tlsKeyExposed({ path: places.keyFile })
  }

  #endings(wallMs: number): readonly Ending[] {
    return (this.#material?.ends ?? []).filter(({ at }) => at - wallMs <= ENDS_SOON_MS)
  }

  #tellEndings(wallMs: number): void {
    for (const { what, path, at } of this.#endings(wallMs)) {
      const now = performance.now()
      if (now - (this.#toldAt.get(what) ?? Number.NEGATIVE_INFINITY) < DAY_MS) continue
      this.#toldAt.set(what, now)
      if (at > wallMs) this.#log.tlsExpires({ what, path, days: Math.floor((at - wallMs) / DAY_MS) })
      else this.#log.tlsExpired({ what, path })
    }
  }
}

function sameMaterial(a: TlsMaterial, b: TlsMaterial | undefined): boolean {
  const text = (one: TlsMaterial) => JSON.stringify([one.ca, one.crl, one.cert, one.key])
  return b !== undefined && text(a) === text(b)
}
