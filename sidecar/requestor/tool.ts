// What the commands of `leasequery` share.
import { readFileSync } from 'node:fs'
import { codeOf, reasonOf, SidecarError } from '../errors.ts'
import type { TlsFiles } from './arguments.ts'
import type { RequestorTls } from './start-tls.ts'

/** @throws SidecarError ALQ_TLS_OWN_FILE */
export function readTlsFiles(files: TlsFiles | undefined): RequestorTls | undefined {
  if (files === undefined) return undefined
  const { ca, cert, key, servername } = files
  return { ca: readOwn(ca), cert: readOwn(cert), key: readOwn(key), servername }
}

/** @throws SidecarError ALQ_TLS_OWN_FILE */
export function readOwn(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new SidecarError('ALQ_TLS_OWN_FILE', { path, reason: reasonOf(error) }, { cause: error })
  }
}

/** Resolves when written: output that is not read holds the query back, not the memory. */
export function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()))
  })
}

export function complain(text: string): void {
  process.stderr.write(`leasequery: ${text}\n`)
}

/** Runs a command. @returns its exit code: 0 also where nobody takes the output any more, 1 with a sentence for a failure */
export async function exitCodeOf(work: () => Promise<number>): Promise<number> {
  try {
    return await work()
  } catch (error) {
    if (codeOf(error) === 'EPIPE') return 0
    if (!(error instanceof SidecarError) || error.code === 'ALQ_FLAG') throw error
    complain(reasonOf(error))
    return 1
  }
}

/** Calls `stop` when the tool is asked to end. */
export function onInterrupt(stop: () => void): void {
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
}

interface Timeout {
  readonly flag: string
  readonly value: number | undefined
  readonly least: number
}

/** RFC 7724 section 5.3, RFC 7653 section 6.4, RFC 6926 section 6.3, RFC 5460 section 5.6: not below the defaults. */
export function warnOfTimeouts(timeouts: readonly Timeout[]): void {
  for (const { flag, value, least } of timeouts) {
    if (value !== undefined && value < least) {
      complain(
        `warning: ${flag} ${value} is below the ${least} s that the RFCs name; it may harm the server and others`,
      )
    }
  }
}
