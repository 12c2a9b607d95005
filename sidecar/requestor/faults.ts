// What `leasequery check` can find wrong: a name, an exit code, and the sentence for who is woken by it at night.

export interface CheckFields {
  readonly host: string
  readonly port: number
  readonly family: 4 | 6
  /** The detail of this case. */
  readonly reason: string
}

interface Fault {
  readonly exit: number
  readonly meaning: string
  readonly sentence: (fields: CheckFields) => string
}

const at = ({ host, port }: CheckFields) => `${host} port ${port}`
const tlsWord = ({ family }: CheckFields) => (family === 4 ? 'DHCPTLS' : 'STARTTLS')

export const faults = {
  'port-closed': {
    exit: 10,
    meaning: 'the host is up, but nothing listens on the port',
    sentence: (f) =>
      `nothing listens on ${at(f)}: start kea-leasequery there and look for listener.started or listener.failed in its log; it listens on lease-query-ip and lease-query-tcp-port of Kea's configuration`,
  },
  unreachable: {
    exit: 11,
    meaning: 'no answer from the host: it is down, there is no route, or a firewall drops it',
    sentence: (f) =>
      `${at(f)} does not answer (${f.reason}): the host is down, there is no route to it, or a firewall drops TCP port ${f.port}`,
  },
  'unknown-host': {
    exit: 12,
    meaning: 'the name of the host is not known',
    sentence: (f) => `no address is known for ${f.host} (${f.reason}): correct the name, or give the address`,
  },
  'no-requester': {
    exit: 13,
    meaning: 'the server closes the connection: this host is no requester there',
    sentence: (f) =>
      `${at(f)} closes the connection whatever it is asked: add the address of this host${f.reason} to requesters in Kea's configuration, or look for requestor.rejected in the log there (max-requester-connections may be reached)`,
  },
  'tls-required': {
    exit: 14,
    meaning: 'the server requires TLS',
    sentence: (f) =>
      `${at(f)} requires TLS: give --tls-ca, --tls-cert and --tls-key (or set tls.mode to off there, which sends all bindings in clear text)`,
  },
  'tls-refused': {
    exit: 15,
    meaning: 'the server refuses TLS',
    sentence: (f) =>
      `${at(f)} refuses ${tlsWord(f)} (${f.reason}): set tls.mode to required there, or leave the TLS files out here, which goes in clear text`,
  },
  'server-certificate': {
    exit: 16,
    meaning: "the server's certificate is not accepted here",
    sentence: (f) => `the certificate of ${at(f)} is not good: ${f.reason}`,
  },
  'own-certificate': {
    exit: 17,
    meaning: 'the certificate of this requestor is not good, or not accepted there',
    sentence: (f) => `the certificate of this requestor is not good for ${at(f)}: ${f.reason}`,
  },
  'tls-failed': {
    exit: 18,
    meaning: 'TLS fails for another reason',
    sentence: (f) => `TLS with ${at(f)} fails: ${f.reason}`,
  },
  'active-off': {
    exit: 20,
    meaning: 'Active Leasequery is off there, or not for this requestor',
    sentence: (f) =>
      `${at(f)} does not serve Active Leasequery to this requestor (${f.reason}): set advanced.active-query-enabled to true in Kea's configuration, and "active" in queries of this requester`,
  },
  'bulk-off': {
    exit: 21,
    meaning: 'Bulk Leasequery is off there, or not for this requestor',
    sentence: (f) =>
      `${at(f)} does not serve Bulk Leasequery to this requestor (${f.reason}): set advanced.bulk-query-enabled to true in Kea's configuration, and "bulk" in queries of this requester`,
  },
  'not-ready': {
    exit: 22,
    meaning: 'the server serves, but cannot answer yet',
    sentence: (f) => `${at(f)} cannot answer yet: ${f.reason}`,
  },
  'no-leasequery': {
    exit: 23,
    meaning: 'what answers there does not speak leasequery as it should',
    sentence: (f) =>
      `what answers at ${at(f)} is no DHCPv${f.family} leasequery server, or is broken: ${f.reason}`,
  },
} as const satisfies Readonly<Record<string, Fault>>

export type FaultName = keyof typeof faults
