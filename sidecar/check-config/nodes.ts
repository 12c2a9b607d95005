// Finds its way in a configuration that was read with its lines.
import type { MapNode, Node, Place } from './kea-json.ts'

export function member(node: Node | undefined, name: string): Node | undefined {
  return node?.kind === 'map' ? node.entries.find((entry) => entry.name === name)?.node : undefined
}

export function isMap(node: Node | undefined): node is MapNode {
  return node?.kind === 'map'
}

export function itemsOf(node: Node | undefined): readonly Node[] {
  return node?.kind === 'list' ? node.items : []
}

/** A string, number or boolean; undefined where there is none. */
export function scalar(node: Node | undefined): string | number | boolean | undefined {
  return node?.kind === 'value' && node.value !== null ? node.value : undefined
}

/** Whether a node is one of these, or has one of them in it. */
export function holdsAny(node: Node | undefined, these: ReadonlySet<Node>): boolean {
  if (node === undefined || these.has(node)) return node !== undefined
  if (node.kind === 'list') return node.items.some((item) => holdsAny(item, these))
  return node.kind === 'map' && node.entries.some((entry) => holdsAny(entry.node, these))
}

/** As JSON.parse would have given it, without the nodes that are left out. */
export function plain(node: Node, leftOut: ReadonlySet<Node>): unknown {
  if (node.kind === 'value') return node.value
  if (node.kind === 'list') {
    return node.items.filter((item) => !leftOut.has(item)).map((item) => plain(item, leftOut))
  }
  const kept = node.entries.filter((entry) => !leftOut.has(entry.node))
  return Object.fromEntries(kept.map((entry) => [entry.name, plain(entry.node, leftOut)]))
}

export interface Found {
  /** As it stands in the file: what was left out counts, too. */
  readonly path: string
  readonly at: Place
  /** The node itself; undefined: it is not there, and the rest tells of the nearest one around it. */
  readonly node: Node | undefined
}

/** @param path as ConfigError names it, counted without what is left out: `requesters[1].queries[0]` */
export function find(root: Node, path: string, leftOut: ReadonlySet<Node> = new Set()): Found {
  let found: Found = { path: '', at: root.at, node: root }
  for (const [step] of path.matchAll(/[^.[\]]+|\[\d+\]/g)) {
    const next = within(found, step, leftOut)
    if (next === undefined) return { ...found, path, node: undefined }
    found = next
  }
  return found
}

function within({ path, node }: Found, step: string, leftOut: ReadonlySet<Node>): Found | undefined {
  if (node?.kind === 'map') {
    const entry = node.entries.find(({ name }) => name === step)
    return entry && { path: path === '' ? step : `${path}.${step}`, at: entry.at, node: entry.node }
  }
  if (node?.kind !== 'list') return undefined
  const item = node.items.filter((one) => !leftOut.has(one))[Number(step.slice(1, -1))]
  return item && { path: `${path}[${node.items.indexOf(item)}]`, at: item.at, node: item }
}
