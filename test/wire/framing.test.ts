import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Framer } from '../../sidecar/wire/framing.ts'
import { WireError } from '../../sidecar/wire/wire-error.ts'
import { concat, framed, toHex, vector } from './bytes.ts'

/** All messages that come out when the pieces go in one by one. */
function cut(pieces: readonly Uint8Array[], maximum?: number): string[] {
  const framer = new Framer(maximum)
  const messages: string[] = []
  for (const piece of pieces) {
    framer.push(piece)
    for (let message = framer.next(); message !== undefined; message = framer.next())
      messages.push(toHex(message))
  }
  assert.equal(framer.buffered, 0)
  return messages
}

describe('framing (RFC 6926 section 6.1, RFC 5460 section 5.1)', () => {
  const pair = [vector('v6', 'alq6'), vector('v6', 'keepalive6')]
  const stream = concat(...pair)
  const expected = pair.map((frame) => toHex(frame.subarray(2)))

  it('finds both frames wherever the stream is split in two', () => {
    for (let at = 0; at <= stream.length; at++)
      assert.deepEqual(cut([stream.slice(0, at), stream.slice(at)]), expected, `split at ${at}`)
  })

  it('finds both frames wherever the stream is split in three', () => {
    for (let a = 0; a <= stream.length; a++)
      for (let b = a; b <= stream.length; b++)
        assert.deepEqual(cut([stream.slice(0, a), stream.slice(a, b), stream.slice(b)]), expected)
  })

  it('finds both frames when octets come one at a time', () => {
    assert.deepEqual(cut([...stream].map((octet) => Uint8Array.of(octet))), expected)
  })

  it('does not depend on how a stream is cut', () => {
    const messages = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 })
    const cuts = fc.array(fc.nat(3000), { maxLength: 20 })
    fc.assert(
      fc.property(messages, cuts, (contents, places) => {
        const whole = concat(...contents.map((content) => framed(content)))
        const at = [
          0,
          ...places.map((place) => place % (whole.length + 1)).sort((a, b) => a - b),
          whole.length,
        ]
        const pieces = at.slice(1).map((to, i) => whole.slice(at[i]!, to))
        assert.deepEqual(cut(pieces), contents.map(toHex))
      }),
    )
  })

  it('leaves a message alone that it has handed out, whatever comes behind it', () => {
    const framer = new Framer()
    framer.push(stream.slice(0, 10))
    framer.push(stream.slice(10, pair[0]!.length))
    const first = framer.next()!
    framer.push(stream.slice(pair[0]!.length))
    framer.push(stream)
    assert.equal(toHex(first), expected[0])
    assert.equal(toHex(framer.next()!), expected[1])
  })

  it('takes the largest message there is', () => {
    const largest = new Uint8Array(65535).fill(7)
    assert.deepEqual(cut([framed(largest)]), [toHex(largest)])
  })

  it('refuses a size of zero, and goes on refusing', () => {
    const framer = new Framer()
    framer.push(Uint8Array.of(0, 0, 0, 1, 9))
    for (let n = 0; n < 2; n++)
      assert.throws(
        () => framer.next(),
        (error) => error instanceof WireError && error.code === 'frame-size',
      )
  })

  it('refuses a size above its maximum before the message is there, with both numbers', () => {
    const framer = new Framer(4096)
    framer.push(Uint8Array.of(0x4e, 0x20))
    assert.throws(() => framer.next(), {
      name: 'WireError',
      message: 'message-size: message of 20000 octets exceeds the 4096 allowed',
    })
    assert.deepEqual(cut([framed(new Uint8Array(4096))], 4096).length, 1)
  })

  it('hands out the messages before a bad size', () => {
    const framer = new Framer()
    framer.push(concat(pair[0]!, [0, 0]))
    assert.equal(toHex(framer.next()!), expected[0])
    assert.throws(() => framer.next(), WireError)
  })

  it('puts together the largest message octet by octet', () => {
    const framer = new Framer()
    const frame = framed(new Uint8Array(65535))
    for (const octet of frame) framer.push(Uint8Array.of(octet))
    assert.equal(framer.next()!.length, 65535)
  })
})
