/**
 * A requestor in a process of its own that reads as fast as it can and looks at nothing but the ends of messages, so that
 * the server is the limit: node drain.js HOST PORT QUERY(hex) END TIMES [first]
 *
 * Sends the query TIMES times, on a connection each, and prints a line of JSON for each: milliseconds from query to first
 * octet and to the message that ends it (END: its type, or `caught-up`), messages, octets. `first`: leaves after the first octets. TIMES 0: until killed.
 */
import { connect } from 'node:net'
import { MessageType4 } from '../../sidecar/wire/v4/messages.ts'
import { MessageType6 } from '../../sidecar/wire/v6/messages.ts'
import { Code6 } from '../../sidecar/wire/v6/options.ts'

export interface Drained {
  readonly firstMs: number
  readonly allMs: number
  readonly messages: number
  readonly octets: number
}

const [host, port, hex, end, times, stop] = process.argv.slice(2)
const query = Buffer.from(hex ?? '', 'hex')
/** Where the type stands: behind the frame's length in DHCPv6; the value of option 53, which comes first, in DHCPv4. */
const isV6 = host?.includes(':') === true
const typeAt = isV6 ? 2 : 2 + 240 + 2
/** In a frame of DHCPv6 the first option, behind type and transaction-id. */
const optionsAt = typeAt + 4

/** Whether the frame from `at` to `next` is the last that is waited for. */
function ends(data: Buffer, at: number, next: number): boolean {
  const type = data[at + typeAt]!
  if (end !== 'caught-up') return type === Number(end)
  if (!isV6) return type === MessageType4.leasequeryStatus
  if (type !== MessageType6.leasequeryData) return false
  // Of all LEASEQUERY-DATA only CatchUpComplete has a status (RFC 7653 section 9.3).
  for (let option = at + optionsAt; option + 4 <= next; option += 4 + data.readUInt16BE(option + 2)) {
    if (data.readUInt16BE(option) === Code6.status) return true
  }
  return false
}

function drain(): Promise<Drained> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: host!, port: Number(port), noDelay: true })
    let began = 0
    let firstMs = -1
    let messages = 0
    let octets = 0
    let rest: Buffer = Buffer.alloc(0)
    const over = () => {
      resolve({ firstMs, allMs: performance.now() - began, messages, octets })
      socket.destroy()
    }
    socket.on('connect', () => {
      began = performance.now()
      socket.write(query)
    })
    socket.on('data', (data) => {
      if (firstMs < 0) firstMs = performance.now() - began
      octets += data.length
      if (stop === 'first') return over()
      const all = rest.length > 0 ? Buffer.concat([rest, data]) : data
      let at = 0
      while (at + 2 <= all.length) {
        const next = at + 2 + all.readUInt16BE(at)
        if (next > all.length) break
        messages++
        if (ends(all, at, next)) return over()
        at = next
      }
      rest = all.subarray(at)
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`the server closed after ${messages} messages`)))
  })
}

for (let i = 0; i < Number(times) || times === '0'; i++) console.log(JSON.stringify(await drain()))
