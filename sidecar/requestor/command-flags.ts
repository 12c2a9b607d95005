// The flags of `leasequery`, a table for each command: parsed from it, printed by --help, and held equal to the README.
import type { Flag } from '../flags.ts'

const familyFlags: readonly Flag[] = [
  { name: '-4', byDefault: 'unless HOST is an IPv6 address', meaning: 'DHCPv4 (RFC 7724, RFC 6926)' },
  { name: '-6', meaning: 'DHCPv6 (RFC 7653, RFC 5460)' },
]

const tlsFlags: readonly Flag[] = [
  {
    name: '--tls-ca',
    value: 'FILE',
    meaning: 'use TLS (DHCPTLS, STARTTLS): authorities that the server is judged by; takes all three files',
  },
  { name: '--tls-cert', value: 'FILE', meaning: 'certificate of this requestor' },
  { name: '--tls-key', value: 'FILE', meaning: 'its private key' },
  { name: '--tls-name', value: 'NAME', meaning: 'name in the certificate of the server, if not HOST' },
]

const duidFlag: Flag = {
  name: '--duid',
  value: 'OCTETS',
  meaning: 'DHCPv6: Client-ID of this requestor',
}
const optionsFlag: Flag = {
  name: '--options',
  value: 'CODES',
  byDefault: 'what the RFCs recommend, and who the client is',
  meaning: 'options to ask for, by number: 12,61,82',
}
const jsonFlag: Flag = { name: '--json', meaning: 'print one JSON object a line' }
const helpFlag: Flag = { name: '--help', meaning: 'print this and end' }

const selectionFlags: readonly Flag[] = [
  {
    name: '--client-id',
    value: 'OCTETS',
    meaning: "only of this client: option 61, or DHCPv6 DUID; hexadecimal, or text in single quotes: 'abc'",
  },
  { name: '--relay-id', value: 'OCTETS', meaning: 'only what came through this relay' },
  {
    name: '--remote-id',
    value: 'OCTETS',
    meaning: 'only of this remote-id; in DHCPv6 with its enterprise number: 9/OCTETS',
  },
  {
    name: '--address',
    value: 'ADDRESS',
    meaning: 'DHCPv6: only of who holds this address, or a prefix that contains it',
  },
  { name: '--link-address', value: 'ADDRESS', meaning: 'DHCPv6: only on the link of this address' },
]

export const watchFlags: readonly Flag[] = [
  ...familyFlags,
  {
    name: '--since',
    value: 'TIME',
    meaning:
      'begin with all that changed since TIME: Unix seconds, ISO 8601, or relative to now such as -10m (s, m, h, d)',
  },
  ...selectionFlags.map((flag) => ({
    ...flag,
    meaning: flag.meaning.replace(/^(DHCPv6: )?only/, 'DHCPv6: only'),
  })),
  optionsFlag,
  {
    name: '--receive-timeout',
    value: 'SECONDS',
    byDefault: '120',
    meaning: 'silence after which the server is given up (ACTIVE_LQ_RCV_TIMEOUT)',
  },
  duidFlag,
  jsonFlag,
  ...tlsFlags,
  helpFlag,
]

const dataTimeoutFlag: Flag = {
  name: '--data-timeout',
  value: 'SECONDS',
  byDefault: '300',
  meaning: 'silence in a Bulk answer after which the server is given up (BULK_LQ_DATA_TIMEOUT)',
}

export const fetchFlags: readonly Flag[] = [
  ...familyFlags,
  {
    name: '--hardware-address',
    value: 'OCTETS',
    meaning: 'DHCPv4: only of this hardware address; of another type than Ethernet with its number: 6/OCTETS',
  },
  ...selectionFlags,
  {
    name: '--start',
    value: 'TIME',
    meaning: 'only what changed at TIME or later: Unix seconds, ISO 8601, or relative such as -10m',
  },
  { name: '--end', value: 'TIME', meaning: 'only what changed at TIME or earlier' },
  {
    name: '--vpn',
    value: 'NAME',
    meaning: 'look in this VPN (RFC 6607); the global one without any such flag',
  },
  { name: '--vpn-id', value: 'OCTETS', meaning: 'the same by its VPN-ID, seven octets (RFC 2685)' },
  { name: '--all-vpns', meaning: 'look in all of them (RFC 6926)' },
  optionsFlag,
  dataTimeoutFlag,
  duidFlag,
  jsonFlag,
  ...tlsFlags,
  helpFlag,
]

export const mirrorFlags: readonly Flag[] = [
  { name: '--state', value: 'DIR', meaning: 'folder of the replica, one a family; it must be given' },
  ...familyFlags,
  {
    name: '--tls',
    value: 'off',
    meaning: 'go in clear text: without it the TLS files must be given',
  },
  ...tlsFlags,
  {
    name: '--exec',
    value: 'COMMAND',
    meaning: 'run COMMAND by the shell for each change; exit code 0 takes it',
  },
  { name: '--jsonl', value: 'FILE', meaning: 'append each change to FILE, a JSON object a line' },
  { name: '--webhook', value: 'URL', meaning: 'POST changes to URL as JSON; any 2xx takes them' },
  {
    name: '--webhook-header',
    value: 'HEADER',
    repeats: true,
    meaning: "a header for it: 'authorization: Bearer ...'; @FILE reads it from a file",
  },
  { name: '--skip-renewals', meaning: 'hand nothing over where only times have changed' },
  {
    name: '--poll',
    value: 'SECONDS',
    meaning: 'for servers without Active Leasequery: ask for everything by Bulk, each so many seconds',
  },
  optionsFlag,
  {
    name: '--retry',
    value: 'SECONDS',
    byDefault: '60',
    meaning: 'least time between two attempts to connect to a server (ACTIVE_LQ_IDLE_TIMEOUT)',
  },
  {
    name: '--receive-timeout',
    value: 'SECONDS',
    byDefault: '120',
    meaning: 'silence after which a server is given up (ACTIVE_LQ_RCV_TIMEOUT)',
  },
  dataTimeoutFlag,
  {
    name: '--max-bindings',
    value: 'NUMBER',
    byDefault: '20000000',
    meaning: 'bindings kept; a server that tells of more is given up',
  },
  duidFlag,
  jsonFlag,
  helpFlag,
]

export const showFlags: readonly Flag[] = [jsonFlag, helpFlag]

export const checkFlags: readonly Flag[] = [...familyFlags, duidFlag, jsonFlag, ...tlsFlags, helpFlag]
