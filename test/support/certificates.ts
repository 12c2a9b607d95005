/** Certificates made by openssl, as an operator makes them. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Issued {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: string
  readonly key: string
}

export interface Wishes {
  /** As in an openssl configuration: `DNS:bng1.example.net,IP:127.0.0.1`. */
  readonly names?: string
  readonly purpose?: 'clientAuth' | 'serverAuth'
  /** Days from now at which it ends; negative = has ended. */
  readonly days?: number
  /** An RSA key of 1024 bits. */
  readonly weak?: boolean
}

/** An authority in a folder of its own. */
export class Authority {
  readonly folder = mkdtempSync(join(tmpdir(), 'alq-ca-'))
  readonly certFile = join(this.folder, 'ca.pem')
  readonly #keyFile = join(this.folder, 'ca.key')
  #number = 0

  /** Of an authority below another one: what leads there. */
  readonly #above: string

  /** @param signed made elsewhere; else it signs itself */
  constructor(name = 'authority', signed?: (keyFile: string, certFile: string) => string) {
    this.#above = signed?.(this.#keyFile, this.certFile) ?? ''
    if (signed === undefined) selfSigned(this.#keyFile, this.certFile, name)
  }

  /** An authority whose certificate this one has signed, in the same folder's care. */
  intermediate(): Authority {
    const signed = (keyFile: string, certFile: string) => {
      const { key, cert } = this.#sign(['basicConstraints=critical,CA:TRUE'], {})
      writeFileSync(keyFile, key)
      writeFileSync(certFile, cert)
      return cert
    }
    return new Authority('below', signed)
  }

  /** Its own certificate and key, as if it were a requestor. */
  get own(): Issued {
    return issued(this.certFile, this.#keyFile)
  }

  get cert(): string {
    return readFileSync(this.certFile, 'utf8')
  }

  issue(wishes: Wishes = {}): Issued {
    const { names = 'DNS:localhost,IP:127.0.0.1,IP:::1', purpose } = wishes
    const extensions = [`subjectAltName=${names}`, ...(purpose ? [`extendedKeyUsage=${purpose}`] : [])]
    return this.#sign(extensions, wishes)
  }

  #sign(extensions: readonly string[], { days = 100, weak }: Wishes): Issued {
    const file = (extension: string) => join(this.folder, `${this.#number}.${extension}`)
    this.#number++
    const kind = weak ? ['-newkey', 'rsa:1024', '-nodes'] : newKey
    const subject = `/CN=issued ${this.#number}`
    openssl(['req', '-new', ...kind, '-keyout', file('key'), '-out', file('csr'), '-subj', subject])
    writeFileSync(file('ext'), `${extensions.join('\n')}\n`)
    const signer = ['-CA', this.certFile, '-CAkey', this.#keyFile, '-set_serial', String(1000 + this.#number)]
    const request = ['-in', file('csr'), '-out', file('pem'), '-extfile', file('ext')]
    // Negative days make it end before it begins, which is expired all the same.
    openssl(['x509', '-req', ...request, ...signer, '-days', String(days)])
    if (this.#above !== '') writeFileSync(file('pem'), readFileSync(file('pem'), 'utf8') + this.#above)
    return issued(file('pem'), file('key'))
  }

  /** Signed by nobody but itself. */
  selfSigned(): Issued {
    const file = (extension: string) => join(this.folder, `self-${this.#number}.${extension}`)
    this.#number++
    selfSigned(file('key'), file('pem'), 'self', ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'])
    return issued(file('pem'), file('key'))
  }

  /** A revocation list that names these, in PEM. */
  revoke(...revoked: readonly Issued[]): string {
    const file = (name: string) => join(this.folder, name)
    writeFileSync(file('index.txt'), '')
    const settings = ['[ca]', 'default_ca=it', '[it]', `database=${file('index.txt')}`, 'default_md=sha256']
    writeFileSync(file('ca.conf'), `${[...settings, 'default_crl_days=30'].join('\n')}\n`)
    const ca = ['ca', '-config', file('ca.conf'), '-cert', this.certFile, '-keyfile', this.#keyFile]
    for (const { certFile } of revoked) openssl([...ca, '-revoke', certFile])
    openssl([...ca, '-gencrl', '-out', file('crl.pem')])
    return readFileSync(file('crl.pem'), 'utf8')
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'] as const

function issued(certFile: string, keyFile: string): Issued {
  return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
}

function selfSigned(keyFile: string, certFile: string, name: string, more: readonly string[] = []): void {
  openssl([
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    keyFile,
    '-out',
    certFile,
    '-subj',
    `/CN=${name}`,
    '-days',
    '100',
    ...more,
  ])
}

function openssl(words: readonly string[]): void {
  execFileSync('openssl', words, { stdio: 'pipe' })
}
