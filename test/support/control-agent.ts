/** Kea's control agent: takes commands over HTTP and hands them to the server behind. */

import { writeFileSync } from 'node:fs'
import type { Kea } from './kea.ts'
import { keaJson } from './kea-config.ts'
import type { Laboratory } from './laboratory.ts'

/** Starts one for a server, on loopback beside it. It goes with the laboratory. */
export function startControlAgent(lab: Laboratory, server: Kea, port: number): void {
  const name = lab.unique(`agent-${server.name}`)
  const file = lab.path(`${name}.conf`)
  const behind = { 'socket-type': 'unix', 'socket-name': server.socketFile }
  const config = {
    'Control-agent': {
      'http-host': '127.0.0.1',
      'http-port': port,
      'control-sockets': { [`dhcp${server.family}`]: behind },
      loggers: [{ name: 'kea-ctrl-agent', severity: 'WARN', 'output-options': [{ output: 'stdout' }] }],
    },
  }
  writeFileSync(file, keaJson(config, 2))
  const folders = ['KEA_PIDFILE_DIR', 'KEA_CONTROL_SOCKET_DIR', 'KEA_LOG_FILE_DIR'].map(
    (one) => `${one}=${lab.folder}`,
  )
  const command = ['env', 'KEA_LOCKFILE_DIR=none', ...folders, 'kea-ctrl-agent', '-c', file]
  lab.start(name, lab.inRoot('server', server.root, command))
}
