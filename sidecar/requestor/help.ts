// What `leasequery --help` says.
import { formatFlags } from '../flags.ts'
import { type CommandName, commandFlags, commandNames } from './arguments.ts'
import { faults } from './faults.ts'
import { defaultPorts } from './open-socket.ts'

/** Of all commands; `check` has more. */
export const exitCodes = {
  0: 'done; also when interrupted, or when nobody takes the output any more',
  1: 'the connection failed, the server closed, refused or ended the query, or the state cannot be used',
  2: 'the command line is wrong',
} as const

export const checkExitCodes: Readonly<Record<number, string>> = Object.fromEntries(
  Object.values(faults).map(({ exit, meaning }) => [exit, meaning]),
)

export interface CommandHelp {
  readonly usage: string
  readonly brief: string
  readonly text: string
}

const ports = `PORT is ${defaultPorts[4]} for DHCPv4 and ${defaultPorts[6]} for DHCPv6 unless given. IPv6 addresses with a port go in brackets: [2001:db8::1]:547.`

export const commandHelp: Readonly<Record<CommandName, CommandHelp>> = {
  watch: {
    usage: 'watch HOST[:PORT] [FLAGS]',
    brief: 'show every change of a binding as it happens (Active Leasequery)',
    text: `Shows every change of a binding as it happens (Active Leasequery), one a line.
${ports}
With --json, "resume-point" is the TIME for --since with which a later watch of the same server misses nothing.`,
  },
  fetch: {
    usage: 'fetch HOST[:PORT] [FLAGS]',
    brief: 'show the bindings a server has, all or some (Bulk Leasequery)',
    text: `Shows the bindings that a server has, all or some of them (Bulk Leasequery), one a line.
${ports}
With --json, the last object has the base-time to go on from: leasequery watch --since.`,
  },
  mirror: {
    usage: 'mirror HOST[:PORT]... --state DIR [FLAGS]',
    brief: 'keep a local replica, and hand each change to a command, a file or a web server',
    text: `Keeps a replica of what the servers know in DIR: Bulk Leasequery first, then Active Leasequery, for ever. Several
servers (a pair that shares its leases) make one replica; the better record counts (RFC 6926 section 7.6).
${ports}
Each change is handed to --exec, --jsonl and --webhook at least once, in order for each binding, also across restarts; what is
not taken is handed over again. A new receiver is handed all bindings first. SIGUSR1 writes DIR/replica.jsonl.`,
  },
  check: {
    usage: 'check HOST[:PORT] [FLAGS]',
    brief: 'say what a server supports, and what is wrong',
    text: `Connects, asks for TLS if the files are given, tries an active and a Bulk query, and says what the server supports and how
far back a start time may lie; or what is wrong and what to do about it, in one sentence, with an exit code of its own.
${ports}`,
  },
  show: {
    usage: 'show DIR [FLAGS]',
    brief: 'show the replica of a mirror that does not run',
    text: `Shows the bindings in the replica of a mirror that does not run. A running one writes them to DIR/replica.jsonl on SIGUSR1.`,
  },
}

export function help(about: CommandName | undefined): string {
  if (about === undefined) return overview()
  const { usage, text } = commandHelp[about]
  const codes = about === 'check' ? { ...exitCodes, ...checkExitCodes } : exitCodes
  return `Usage: leasequery ${usage}

${text}

${formatFlags(commandFlags[about])}

${exitHelp(codes)}`
}

export const brief = 'ask a DHCP server about its leases, and watch them change'

function overview(): string {
  const width = Math.max(...commandNames.map((name) => commandHelp[name].usage.length)) + 2
  const lines = commandNames.map((name) => {
    const { usage, brief } = commandHelp[name]
    return `  leasequery ${usage.padEnd(width)}${brief}`
  })
  return `leasequery: ${brief}

Usage:
${lines.join('\n')}
  leasequery COMMAND --help
  leasequery --version

${exitHelp(exitCodes)}`
}

function exitHelp(table: Readonly<Record<number, string>>): string {
  const codes = Object.entries(table).map(([code, meaning]) => `  ${code.padEnd(3)} ${meaning}`)
  return `Exit codes:\n${codes.join('\n')}\n`
}
