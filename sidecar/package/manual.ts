// The manual pages, from the tables that --help is printed from.
import { DEFAULT_STATE_DIR, daemonFlags, exitCodes, statusExitCodes, statusFlags } from '../daemon-flags.ts'
import { commandFlags, commandNames } from '../requestor/arguments.ts'
import * as requestor from '../requestor/help.ts'
import { manualParts } from './markdown.ts'
import { bold, codeTerms, flagTerms, type Page, paragraphs, roff, terms } from './roff.ts'

export const daemonPage: Page = {
  name: 'kea-leasequery',
  section: 8,
  brief: 'Active and Bulk Leasequery for ISC Kea',
  parts: [
    ['SYNOPSIS', `${bold('kea-leasequery')} [FLAGS]\n.br\n${bold('kea-leasequery status')} [FLAGS]`],
    [
      'DESCRIPTION',
      paragraphs(`Follows the lease feed of Kea's hook library libdhcp_lease_feed.so, keeps all bindings and the
history of their changes, and serves leasequery requestors over TCP: Active Leasequery (RFC 7724 for DHCPv4, RFC 7653 for
DHCPv6) and Bulk Leasequery (RFC 6926, RFC 5460).

The service is configured in kea.conf, in the parameters of the library: see libdhcp_lease_feed(7). The flags are for what
is local to this host; a drop-in of the unit gives them:

systemctl edit kea-leasequery`) +
        `
.PP
.RS 4
.nf
[Service]
ExecStart=
ExecStart=/usr/bin/kea\\-leasequery \\-\\-require\\-tls
.fi
.RE`,
    ],
    ['OPTIONS', flagTerms(daemonFlags)],
    [
      'SIGNALS',
      terms([
        [
          `${bold('SIGTERM')}, ${bold('SIGINT')}`,
          'Active requestors are told QueryTerminated with a base-time to resume from, and everything is written.',
        ],
        [bold('SIGHUP'), 'Certificates, keys and trust anchors are read again.'],
      ]),
    ],
    ['EXIT STATUS', codeTerms(exitCodes)],
    [
      'KEA-LEASEQUERY STATUS',
      `${paragraphs('Says how the kea-leasequery that runs on this host is, as its status page has it.')}\n${flagTerms(statusFlags)}.PP\nExit status:\n${codeTerms(statusExitCodes)}`,
    ],
    [
      'FILES',
      terms([
        [
          `\\fI${roff(DEFAULT_STATE_DIR)}\\fR`,
          'Bindings and history, one folder a family. Removed when the package is purged.',
        ],
        ['\\fI/run/kea\\-lease\\-feed\\fR', "The sockets of Kea's library."],
      ]),
    ],
    ['SEE ALSO', `${bold('leasequery')}(1), ${bold('libdhcp_lease_feed')}(7), ${bold('kea-dhcp4')}(8)`],
  ],
}

export const requestorPage: Page = {
  name: 'leasequery',
  section: 1,
  brief: requestor.brief,
  parts: [
    [
      'SYNOPSIS',
      commandNames
        .map((name) => `${bold('leasequery')} ${roff(requestor.commandHelp[name].usage)}`)
        .join('\n.br\n'),
    ],
    [
      'DESCRIPTION',
      paragraphs(`A requestor of leasequery over TCP or TLS: Active Leasequery (RFC 7724 for DHCPv4, RFC 7653 for
DHCPv6) and Bulk Leasequery (RFC 6926, RFC 5460), with kea-leasequery and any other server that speaks them.`),
    ],
    ...commandNames.map((name): [string, string] => [
      `LEASEQUERY ${name.toUpperCase()}`,
      `${paragraphs(requestor.commandHelp[name].text)}\n${flagTerms(commandFlags[name])}`,
    ]),
    ['EXIT STATUS', codeTerms(requestor.exitCodes)],
    ['EXIT STATUS OF CHECK', codeTerms(requestor.checkExitCodes)],
    ['SEE ALSO', `${bold('kea-leasequery')}(8)`],
  ],
}

/** @param readme kea-hook/README.md: all of it but what is for those who build the library */
export function libraryPage(readme: string): Page {
  const parts = manualParts(readme)
  const built = parts.findIndex(([heading]) => heading === 'BUILDING')
  return {
    name: 'libdhcp_lease_feed',
    section: 7,
    brief: 'lease feed of ISC Kea',
    parts: [...parts.slice(0, built), ['SEE ALSO', `${bold('kea-leasequery')}(8), ${bold('kea-dhcp4')}(8)`]],
  }
}
