// Whom changes are handed to: a command, a file of JSON lines, a web server.
import { spawn } from 'node:child_process'
import { type FileHandle, open } from 'node:fs/promises'
import { reasonOf, SidecarError } from '../../errors.ts'
import type { ChangeJson } from './change-json.ts'
import type { Receiver } from './delivery.ts'

/** Seconds that a command or a web server may take over what it was handed. */
const PATIENCE_SECONDS = 60

function refused(receiver: string, reason: string, cause?: unknown): SidecarError<'ALQ_RECEIVER'> {
  return new SidecarError('ALQ_RECEIVER', { receiver, reason }, { cause })
}

/**
 * Runs `command` by the shell for each change, with the change in its environment ({@link environmentOf}) and as a line of
 * JSON on its standard input. Exit code 0 takes the change.
 */
export function execReceiver(command: string, patience = PATIENCE_SECONDS): Receiver {
  const name = `exec ${command}`
  return {
    name,
    most: 1,
    async hand(changes, signal) {
      for (const change of changes) await runCommand(name, command, change, signal, patience)
    },
  }
}

function runCommand(
  name: string,
  command: string,
  change: ChangeJson,
  signal: AbortSignal,
  patience: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    // A group of its own: what the command starts ends with it.
    const child = spawn('/bin/sh', ['-c', command], {
      env: { ...process.env, ...environmentOf(change) },
      stdio: ['pipe', process.stderr, process.stderr],
      detached: true,
    })
    let why: string | undefined
    const kill = (reason: string) => {
      why = reason
      try {
        process.kill(-child.pid!, 'SIGKILL')
      } catch {
        // It has just ended.
      }
    }
    const abort = () => kill('the mirror stops')
    const timer = setTimeout(() => kill(`it ran for more than ${patience} s`), 1000 * patience)
    signal.addEventListener('abort', abort)
    const done = (error?: Error) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      if (error === undefined) resolve()
      else reject(error)
    }
    child.once('error', (error) => done(refused(name, reasonOf(error), error)))
    child.once('exit', (code, by) => {
      if (code === 0 && why === undefined) done()
      else done(refused(name, why ?? (code === null ? `it was ended by ${by}` : `exit code ${code}`)))
    })
    // Whether it reads its input is its own affair.
    child.stdin!.on('error', () => {})
    child.stdin!.end(`${JSON.stringify(change)}\n`)
  })
}

/** The change as environment variables; what is not known is empty. All values are plain: letters, digits, `.:/-`. */
export function environmentOf(change: ChangeJson): Record<string, string> {
  const { relay, before } = change
  const text = (value: string | number | null | undefined) => String(value ?? '')
  return {
    LEASEQUERY_CHANGE: change.change,
    LEASEQUERY_NUMBER: text(change.number),
    LEASEQUERY_FAMILY: text(change.family),
    LEASEQUERY_KEY: change.key,
    LEASEQUERY_ADDRESS: change.address,
    LEASEQUERY_PREFIX_LENGTH: text(change['prefix-length']),
    LEASEQUERY_CLIENT_ID: text(change['client-id']),
    LEASEQUERY_HARDWARE_ADDRESS: text(change['hardware-address']?.replace(/(..)(?=.)/g, '$1:')),
    LEASEQUERY_EXPIRES: text(change.expires),
    LEASEQUERY_NEXT_HOP: text(relay?.['next-hop']),
    LEASEQUERY_LINK_ADDRESS: text(relay?.['link-address']),
    LEASEQUERY_CIRCUIT_ID: text(relay?.['circuit-id']),
    LEASEQUERY_REMOTE_ID: text(relay?.['remote-id']),
    LEASEQUERY_RELAY_ID: text(relay?.['relay-id']),
    LEASEQUERY_BEFORE_NEXT_HOP: text(before?.relay?.['next-hop']),
  }
}

/**
 * Appends a line of JSON for each change, on the disk before the change counts as taken. The file is opened anew for each
 * batch, so that it can be renamed away; a line that a killed run left unfinished is cut off, since it comes again.
 */
export function jsonlReceiver(path: string): Receiver {
  const name = `jsonl ${path}`
  return {
    name,
    most: 256,
    async hand(changes) {
      let file: FileHandle | undefined
      try {
        file = await open(path, 'a+', 0o600)
        if ((await file.stat()).isFile()) await cutUnfinished(file)
        await file.appendFile(changes.map((change) => `${JSON.stringify(change)}\n`).join(''))
        if ((await file.stat()).isFile()) await file.datasync()
      } catch (error) {
        throw refused(name, reasonOf(error), error)
      } finally {
        await file?.close()
      }
    },
  }
}

async function cutUnfinished(file: FileHandle): Promise<void> {
  const { size } = await file.stat()
  const piece = Buffer.alloc(65_536)
  for (let end = size; end > 0; ) {
    const from = Math.max(0, end - piece.length)
    const { bytesRead } = await file.read(piece, 0, end - from, from)
    const newline = piece.subarray(0, bytesRead).lastIndexOf(0x0a)
    if (newline >= 0) {
      if (from + newline + 1 < size) await file.truncate(from + newline + 1)
      return
    }
    end = from
  }
  if (size > 0) await file.truncate(0)
}

/**
 * POSTs `{"changes": [...]}`; any 2xx takes them all. Redirections are not followed.
 * @param headers more of them, such as an authorization
 */
export function webhookReceiver(
  url: string,
  headers: Readonly<Record<string, string>> = {},
  patience = PATIENCE_SECONDS,
): Receiver {
  // Without what may be secret in it: this is written to logs.
  const { origin, pathname } = new URL(url)
  const name = `webhook ${origin}${pathname}`
  return {
    name,
    most: 100,
    async hand(changes, signal) {
      let status: number
      try {
        const response = await fetch(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body: JSON.stringify({ changes }),
          redirect: 'manual',
          signal: AbortSignal.any([signal, AbortSignal.timeout(1000 * patience)]),
        })
        status = response.status
        // What it says does not matter, nor how much of it there is.
        await response.body?.cancel()
      } catch (error) {
        const { cause } = error as { cause?: unknown }
        throw refused(name, reasonOf(cause ?? error), error)
      }
      if (status < 200 || status > 299) throw refused(name, `HTTP status ${status}`)
    },
  }
}
