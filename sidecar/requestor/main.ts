#!/usr/bin/env node
// bin leasequery: arguments, output, exit code.
import { readFileSync } from 'node:fs'
import { codeOf, reasonOf, SidecarError } from '../errors.ts'
import { version } from '../version.ts'
import { ActiveRequestor } from './active-requestor.ts'
import { type Command, help, isUsageError, parseArguments, type TlsFiles, watchHelp } from './arguments.ts'
import { formatJson, formatLine, Historian } from './print.ts'
import type { RequestorTls } from './start-tls.ts'

async function main(): Promise<number> {
  let command: Command
  try {
    command = parseArguments(process.argv.slice(2), Date.now() / 1000)
  } catch (error) {
    if (!isUsageError(error)) throw error
    process.stderr.write(`leasequery: ${error.message}\n`)
    return 2
  }
  switch (command.run) {
    case 'help':
      await print(help())
      return 0
    case 'watch-help':
      await print(watchHelp())
      return 0
    case 'version':
      await print(`${version()}\n`)
      return 0
    case 'watch':
      return watch(command)
  }
}

async function watch(command: Extract<Command, { run: 'watch' }>): Promise<number> {
  const historian = new Historian()
  try {
    const requestor = await ActiveRequestor.connect({ ...command, tls: readTlsFiles(command.tlsFiles) })
    const stop = () => requestor.close()
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
    for await (const event of requestor) {
      const line = command.json ? formatJson(event, historian) : formatLine(event, historian)
      if (line !== undefined) await print(`${line}\n`)
      if (event.type === 'terminated') {
        const fields = { status: event.status, text: event.text === '' ? '' : ` (${event.text})` }
        throw new SidecarError(event.refused ? 'ALQ_SERVER_REFUSED' : 'ALQ_SERVER_TERMINATED', fields)
      }
    }
    return 0
  } catch (error) {
    if (codeOf(error) === 'EPIPE') return 0
    if (!(error instanceof SidecarError)) throw error
    process.stderr.write(`leasequery: ${reasonOf(error)}\n`)
    return 1
  }
}

/** @throws SidecarError ALQ_TLS_OWN_FILE */
function readTlsFiles(files: TlsFiles | undefined): RequestorTls | undefined {
  if (files === undefined) return undefined
  const read = (path: string) => {
    try {
      return readFileSync(path)
    } catch (error) {
      throw new SidecarError('ALQ_TLS_OWN_FILE', { path, reason: reasonOf(error) }, { cause: error })
    }
  }
  const { ca, cert, key, servername } = files
  return { ca: read(ca), cert: read(cert), key: read(key), servername }
}

/** Resolves when written: output that is not read holds the query back, not the memory. */
function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()))
  })
}

// The write's own callback deals with it; without a listener Node would end with a stack trace.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})
process.exitCode = await main()
// A pipe may still hold output: let the loop run empty instead of exit().
