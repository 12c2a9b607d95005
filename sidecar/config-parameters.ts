// Every parameter of the requestor service, for people: sidecar/README.md has this table, and a test holds the two equal.

/** One row for the README's table; the test holds the two equal. */
export interface Parameter {
  readonly name: string
  readonly type: string
  readonly byDefault: string
  readonly meaning: string
}

/** Every parameter, its type and default: the README's settings table. */
export const parameters: readonly Parameter[] = [
  row(
    'requesters',
    'list',
    'none',
    'Who may connect: addresses, networks (CIDR), or maps as below. The first match decides.',
  ),
  row(
    'requesters[].address',
    'string',
    '-',
    'Address or network of the requestor; either this or `certificate`.',
  ),
  row('requesters[].certificate', 'string', '-', 'Name in the subject alternative names of its certificate.'),
  row('requesters[].queries', 'list', '[ "active", "bulk" ]', 'What it may ask.'),
  row(
    'requesters[].subnets',
    'list',
    'all',
    'Shows only bindings of these subnets (ids in Kea). Where several of these three lists are given, a binding must be in each.',
  ),
  row(
    'requesters[].relay-ids',
    'list',
    'all',
    'Shows only bindings relayed by these relay-ids: hexadecimal, or text in single quotes.',
  ),
  row(
    'requesters[].remote-ids',
    'list',
    'all',
    'Shows only bindings with these remote-ids, written the same way; in DHCPv6 the enterprise number (4 octets) comes first.',
  ),
  row(
    'requesters[].withhold-options',
    'list',
    'none',
    'Option codes never sent to it, nor accepted from it as a query key; 82 (DHCPv4) and 47 (DHCPv6) are all relay data.',
  ),
  row(
    'requesters[].relay-data-always',
    'boolean',
    'false',
    'Sends it relay data (option 82, OPTION_LQ_RELAY_DATA) even where it does not ask for any.',
  ),
  row(
    'requesters[].max-connections',
    'integer',
    '0',
    'Its connections at once; 0 = only the limit of the listener.',
  ),
  row(
    'requesters[].keepalive.interval',
    'integer',
    '0',
    'Seconds of silence before a keepalive; 0 = `active-query-idle-timeout`.',
  ),
  row(
    'requesters[].keepalive.form',
    'string',
    '"status"',
    '`status` as RFC 7724 says, or `empty-active` for equipment that expects a DHCPLEASEACTIVE without address.',
  ),
  row('advanced.bulk-query-enabled', 'boolean', 'false', 'Serve Bulk Leasequery.'),
  row('advanced.active-query-enabled', 'boolean', 'false', 'Serve Active Leasequery.'),
  row(
    'advanced.lease-query-ip',
    'string or list',
    'all',
    'Addresses to listen on; all of the family without it.',
  ),
  row('advanced.lease-query-tcp-port', 'integer', '67, 547', 'Port to listen on.'),
  row(
    'advanced.max-requester-connections',
    'integer',
    '10',
    'Connections at once. One requestor alone never takes the last free one, where others are configured.',
  ),
  row(
    'advanced.max-concurrent-queries',
    'integer',
    '4',
    'Bulk queries in progress on one connection; 0 = no limit here.',
  ),
  row(
    'advanced.max-requester-idle-time',
    'integer',
    '300',
    'Seconds without a query before a connection is closed (BULK_LQ_DATA_TIMEOUT).',
  ),
  row(
    'advanced.active-query-send-timeout',
    'integer',
    '120',
    'Seconds a requestor may leave its connection blocked (ACTIVE_LQ_SEND_TIMEOUT).',
  ),
  row(
    'advanced.active-query-idle-timeout',
    'integer',
    '60',
    'Seconds of silence before a keepalive (ACTIVE_LQ_IDLE_TIMEOUT).',
  ),
  row(
    'advanced.active-query-max-lag',
    'integer',
    '3600',
    'Seconds that a requestor which has caught up may lag behind the changes before its query ends; 0 = no limit.',
  ),
  row(
    'advanced.max-feed-silence',
    'integer',
    '120',
    'Seconds without a heartbeat of Kea at which Active connections end.',
  ),
  row('tls.mode', 'string', '"required"', '`required`, or `off`: an insecure service, as an explicit step.'),
  row(
    'tls.trust-anchor',
    'string',
    '-',
    'File or folder of the certificate authorities that requestors are judged by, with their revocation lists.',
  ),
  row('tls.cert-file', 'string', '-', 'Certificate of this server.'),
  row('tls.key-file', 'string', '-', 'Its private key, readable by the sidecar only.'),
  row('history.retention', 'integer', '604800', 'Seconds that an ended binding is remembered.'),
  row(
    'history.max-ended',
    'integer',
    '1000000',
    'Ended bindings remembered at most. With more of them history is shorter than `history.retention`, which the log says as `index.cut-short`.',
  ),
  row('capture-options', 'list', 'by family', 'Client options kept with a binding.'),
]

function row(name: string, type: string, byDefault: string, meaning: string): Parameter {
  return { name, type, byDefault, meaning }
}
