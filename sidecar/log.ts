// Every line the daemon logs, as a named function over pino. The lines themselves stand in log-lines.ts.
import { pino } from 'pino'
import { codeOf, reasonOf } from './errors.ts'
import { LineLimits } from './line-limits.ts'
import { type Line, type LogLevel, logLines } from './log-lines.ts'

type Lines = typeof logLines
type FieldsOf<L> = L extends Line<infer F> ? F : never

/** What a child logger puts on each of its lines. */
export interface LogContext {
  family?: 4 | 6
  /** Address of the requestor. */
  requestor?: string
  /** Number of the connection in this process. */
  conn?: number
  /** Names in the certificate of the requestor. */
  peer?: string
}

export type Log = { readonly [K in keyof Lines]: (fields: FieldsOf<Lines[K]>) => void } & {
  child(context: LogContext): Log
  /** Writes what is buffered, synchronously: before the process ends. */
  flush(): void
}

/** These identify people: shown at debug and trace only (style of every line: they are their own fields, never in `msg`). */
const identifying = ['client', 'duid', 'clientId', 'hardwareAddress', 'remoteId', 'relayId'] as const

/** Octets of log that may wait for a stalled journal before lines are dropped. */
const MAX_WAITING_LOG = 4 * 1024 * 1024

export interface LogOptions {
  readonly level: LogLevel
  /** Where lines go; standard output without it. */
  readonly destination?: { write(text: string): void }
}

export function createLog(options: LogOptions): Log {
  const destination =
    options.destination ?? pino.destination({ dest: 1, sync: false, maxLength: MAX_WAITING_LOG })
  const root = pino(
    { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    destination,
  )
  const flush = () => {
    if (!('flushSync' in destination)) return
    try {
      ;(destination as { flushSync(): void }).flushSync()
    } catch {
      // Not opened yet, or the reader is gone: there is nobody left to tell.
    }
  }
  return wrap(root, flush, new LineLimits())
}

function wrap(logger: pino.Logger, flush: () => void, limits: LineLimits, requestor = ''): Log {
  const log: Record<string, unknown> = {
    child: (context: LogContext) =>
      wrap(logger.child({ ...context }), flush, limits, context.requestor ?? requestor),
    flush,
  }
  for (const [name, entry] of Object.entries(logLines)) {
    const { level, event, text, limit } = entry as Line<object>
    const redacts = level !== 'debug' && level !== 'trace'
    log[name] = (fields: Record<string, unknown>) => {
      if (!logger.isLevelEnabled(level)) return
      const write = (suppressed: number) => {
        const counted = suppressed > 0 ? { suppressed } : {}
        logger[level]({ ...presentable(fields, redacts), ...counted, event }, text(fields))
      }
      if (limit === undefined) write(0)
      else limits.run(event, limit, requestor, write)
    }
  }
  return log as Log
}

function presentable(fields: Record<string, unknown>, redacts: boolean): Record<string, unknown> {
  const shown: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue
    if (key === 'error') shown[key] = describe(value)
    else if (redacts && (identifying as readonly string[]).includes(key)) shown[key] = '[redacted]'
    else shown[key] = value
  }
  return shown
}

function describe(error: unknown, depth = 0): Record<string, unknown> {
  const described: Record<string, unknown> = { reason: reasonOf(error) }
  const code = codeOf(error)
  if (code !== '') described['code'] = code
  const cause = (error as { cause?: unknown } | null)?.cause
  if (cause !== undefined && depth < 3) described['cause'] = describe(cause, depth + 1)
  return described
}

/** A log that keeps nothing: for parts that are used without one. */
export function silentLog(): Log {
  return createLog({ level: 'error', destination: { write() {} } })
}
