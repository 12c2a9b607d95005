/** The tables of sidecar/README.md, as the code has them. */
import { daemonFlags, exitCodes, statusExitCodes, statusFlags } from '../../sidecar/daemon-flags.ts'
import { errorTable } from '../../sidecar/errors.ts'
import type { Flag } from '../../sidecar/flags.ts'
import { logLines } from '../../sidecar/log-lines.ts'
import { metrics } from '../../sidecar/operations/metrics.ts'
import { commandFlags, commandNames } from '../../sidecar/requestor/arguments.ts'
import * as requestor from '../../sidecar/requestor/help.ts'

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

const code = (text: string) => `\`${text}\``

function flagTable(flags: readonly Flag[]): string {
  return table(
    ['flag', 'default', 'meaning'],
    flags.map(({ name, value, byDefault, meaning }) => [
      code(value === undefined ? name : `${name} ${value}`),
      byDefault === undefined ? '' : byDefault,
      meaning,
    ]),
  )
}

function exitCodeTable(codes: Readonly<Record<number, string>>): string {
  return table(['code', 'meaning'], Object.entries(codes))
}

export const tables = {
  flags: flagTable(daemonFlags),
  exitCodes: exitCodeTable(exitCodes),
  'flags of status': flagTable(statusFlags),
  'exit codes of status': exitCodeTable(statusExitCodes),
  events: table(
    ['event', 'level', 'meaning'],
    Object.values(logLines).map(({ event, level, meaning }) => [code(event), level, meaning]),
  ),
  metrics: table(
    ['metric', 'type', 'labels', 'meaning'],
    metrics.map(({ name, type, labels, help }) => [code(name), type, labels.map(code).join(', '), help]),
  ),
  errors: table(
    ['code', 'sentence'],
    Object.entries(errorTable).map(([errorCode, sentence]) => [code(errorCode), sentence]),
  ),
} as const

/** The tables of sidecar/requestor/README.md. */
export const requestorTables: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    commandNames.map((name) => [`flags of leasequery ${name}`, flagTable(commandFlags[name])]),
  ),
  'exit codes of leasequery': exitCodeTable({ ...requestor.exitCodes, ...requestor.checkExitCodes }),
}
