#!/usr/bin/env node
// bin kea-leasequery: flags, signals, exit code.
import { curveKeyPair } from 'zeromq'
import { App } from './app.ts'
import { runCheckConfig } from './check-config/check-config.ts'
import { type DaemonCommand, daemonHelp, parseDaemonFlags, statusHelp } from './daemon-flags.ts'
import { codeOf, reasonOf } from './errors.ts'
import { formatCurveKeys } from './feed/curve-keys.ts'
import { createLog, type Log } from './log.ts'
import { printStatus } from './operations/command-status.ts'
import { Notifier, notifierParts } from './operations/notify.ts'
import { statusText } from './operations/status-text.ts'
import { version } from './version.ts'

function readCommand(): DaemonCommand | undefined {
  try {
    return parseDaemonFlags(process.argv.slice(2))
  } catch (error) {
    if (codeOf(error) !== 'ALQ_FLAG') throw error
    process.stderr.write(`kea-leasequery: ${reasonOf(error)}\n`)
    return undefined
  }
}

async function runDaemon(command: Extract<DaemonCommand, { run: 'daemon' }>): Promise<void> {
  // Bindings tell of people: what is stored is for this user alone.
  process.umask(0o077)
  const log = createLog({ level: command.settings.logLevel })
  // A bug ends the process; what led to it must not stay in a buffer.
  process.on('uncaughtExceptionMonitor', () => log.flush())
  let stopReason: string | undefined
  let app: App | undefined
  let notifier: Notifier | undefined
  const stop = (signal: string) => {
    stopReason ??= signal
    if (app === undefined) return
    notifier?.stopping()
    void end(app, stopReason, log)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  process.on('SIGHUP', (signal) => {
    log.reloading({ signal })
    app?.reloadTls()
  })
  try {
    app = await App.start(command.settings, log)
  } catch (error) {
    if (!codeOf(error).startsWith('ALQ_')) throw error
    log.flush()
    process.stderr.write(`kea-leasequery: ${reasonOf(error)}\n`)
    process.exit(1)
  }
  if (stopReason !== undefined) await end(app, stopReason, log)
  const running = app
  const manager = notifierParts(process.env, (reason) => log.notSupervised({ reason }))
  if (manager !== undefined) notifier = new Notifier(manager, () => statusText(running.status()))
}

async function end(app: App, reason: string, log: Log): Promise<void> {
  const clean = await app.stop(reason)
  log.flush()
  // Sockets that did not close in time must not keep the process.
  process.exit(clean ? 0 : 1)
}

function checkConfig({ files, settings }: Extract<DaemonCommand, { run: 'check' }>): number {
  try {
    return runCheckConfig(files, settings, (line) => process.stdout.write(`${line}\n`))
  } catch (error) {
    if (codeOf(error) !== 'ALQ_KEA_CONF') throw error
    process.stderr.write(`kea-leasequery: ${reasonOf(error)}\n`)
    return 2
  }
}

const command = readCommand()
if (command === undefined) process.exitCode = 2
else if (command.run === 'help') process.stdout.write(daemonHelp())
else if (command.run === 'version') process.stdout.write(`${version()}\n`)
else if (command.run === 'keys') process.stdout.write(formatCurveKeys(curveKeyPair()))
else if (command.run === 'status-help') process.stdout.write(statusHelp())
else if (command.run === 'status') process.exitCode = await printStatus(command.place, command.json)
else if (command.run === 'check') process.exitCode = checkConfig(command)
else await runDaemon(command)
