/** What tshark, which owes nothing to our code, makes of frames of ours. */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './processes.ts'

/** A node of tshark's tree: fields by name; repeated ones are lists, what is below a field is at `<name>_tree`. */
export type Tree = { readonly [name: string]: Field }
export type Field = string | Tree | readonly (string | Tree)[]

export interface Dissected {
  /** The protocol's tree. */
  readonly tree: Tree
  /** What tshark finds wrong with it, each with the field that it stands at. */
  readonly complaints: readonly string[]
}

/** For node:test: false, or why tests that need tshark are skipped (only under --allow-missing). */
export function withoutDissector(): false | string {
  if (process.env['KEA_TEST_ALLOW_MISSING'] === undefined) return false
  return spawnSync('tshark', ['--version']).error === undefined ? false : 'tshark is not installed'
}

const LINKTYPE_RAW = 101
const port = { 4: 67, 6: 547 } as const

/**
 * Frames as on the wire, size prefix included. Tshark knows DHCPv6 over TCP; DHCPv4 is given to it as datagrams, without
 * the prefix.
 * @throws CommandError where tshark is missing or fails
 */
export async function dissect(family: 4 | 6, frames: readonly Uint8Array[]): Promise<Dissected[]> {
  const folder = mkdtempSync(join(tmpdir(), 'alq-dissect-'))
  try {
    const file = join(folder, 'frames.pcap')
    writeFileSync(file, capture(family === 4 ? frames.map(udp4) : tcp6(frames)))
    const text = await run(['tshark', '-n', '-r', file, '-T', 'json', '--no-duplicate-keys'])
    const packets = JSON.parse(text.slice(text.indexOf('['))) as { _source: { layers: Tree } }[]
    return packets.map(({ _source: { layers } }) => {
      const tree = (layers[family === 4 ? 'dhcp' : 'dhcpv6.bulk_leasequery'] ?? {}) as Tree
      const malformed = '_ws.malformed' in layers ? ['malformed'] : []
      return { tree, complaints: [...malformed, ...complaintsIn(tree, '')] }
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function complaintsIn(field: Field, at: string): string[] {
  if (typeof field === 'string') return []
  if (Array.isArray(field)) return field.flatMap((one: string | Tree) => complaintsIn(one, at))
  return Object.entries(field as Tree).flatMap(([name, below]) => {
    if (name === '_ws.expert.message') return [`${at}: ${String(below)}`]
    return complaintsIn(below, name.startsWith('_ws.') ? at : name.replace(/_tree$/, ''))
  })
}

function capture(packets: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(24)
  head.writeUInt32LE(0xa1b2c3d4, 0)
  head.writeUInt16LE(2, 4)
  head.writeUInt16LE(4, 6)
  head.writeUInt32LE(0xffff, 16)
  head.writeUInt32LE(LINKTYPE_RAW, 20)
  return Buffer.concat([
    head,
    ...packets.flatMap((packet) => {
      const record = Buffer.alloc(16)
      record.writeUInt32LE(packet.length, 8)
      record.writeUInt32LE(packet.length, 12)
      return [record, packet]
    }),
  ])
}

/** Checksums are left out, which UDP over IPv4 allows, and tshark does not ask for. */
function udp4(frame: Uint8Array): Buffer {
  const payload = frame.subarray(2)
  const head = Buffer.alloc(28)
  head.set([0x45, 0])
  head.writeUInt16BE(28 + payload.length, 2)
  head.set([64, 17], 8)
  head.set([192, 0, 2, 1, 192, 0, 2, 2], 12)
  head.writeUInt16BE(port[4], 20)
  head.writeUInt16BE(port[4], 22)
  head.writeUInt16BE(8 + payload.length, 24)
  return Buffer.concat([head, payload])
}

/** One connection, a segment for each frame. */
function tcp6(frames: readonly Uint8Array[]): Buffer[] {
  let sequence = 1
  return frames.map((frame) => {
    const head = Buffer.alloc(60)
    head[0] = 0x60
    head.writeUInt16BE(20 + frame.length, 4)
    head.set([6, 64], 6)
    head.set([0x20, 1, 0xd, 0xb8], 8)
    head[23] = 1
    head.set([0x20, 1, 0xd, 0xb8], 24)
    head[39] = 2
    head.writeUInt16BE(port[6], 40)
    head.writeUInt16BE(40_000, 42)
    head.writeUInt32BE(sequence, 44)
    head.writeUInt32BE(1, 48)
    head.set([0x50, 0x18, 0xff, 0xff], 52)
    sequence += frame.length
    return Buffer.concat([head, frame])
  })
}
