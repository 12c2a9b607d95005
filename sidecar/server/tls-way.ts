// Which way TLS is made: DHCPv4 wants a record for each message, DHCPv6 does not.
import type { Log } from '../log.ts'
import type { RequestorServiceParts } from './service-parts.ts'
import type { TlsUpgrader } from './tls.ts'
import { availableTlsEngine, EngineUpgrader } from './tls-engine.ts'
import type { TlsMaterial } from './tls-files.ts'
import { oneRecordPerMessage, SocketUpgrader } from './tls-socket.ts'

/**
 * RFC 7724 section 5.1 has one DHCPv4 message in a TLS record, which Node's own TLS does at a tenth of the speed of the engine;
 * RFC 7653 has no such words, so that DHCPv6 messages share records. The log says once which way DHCPv4 goes, and why.
 */
export function upgraderOf({
  family,
  log,
  tlsEngine,
}: Pick<RequestorServiceParts, 'family' | 'log' | 'tlsEngine'>): (material: TlsMaterial) => TlsUpgrader {
  if (family === 6) return (material) => new SocketUpgrader(material)
  let made: ((material: TlsMaterial) => TlsUpgrader) | undefined
  return (material) => {
    made ??= recordUpgrader(log, tlsEngine ?? availableTlsEngine())
    return made(material)
  }
}

function recordUpgrader(log: Log, available: ReturnType<typeof availableTlsEngine>) {
  if ('missing' in available) {
    log.tlsSlow({ reason: available.missing })
    return (material: TlsMaterial) => new SocketUpgrader(material, oneRecordPerMessage)
  }
  const { engine } = available
  log.tlsEngine({ openssl: engine.running, built: engine.builtFor })
  return (material: TlsMaterial) => new EngineUpgrader(engine, material)
}
