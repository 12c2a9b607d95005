// One call to the kernel for many messages. Encoders cut messages from slabs one after another, so that those of one slice
// mostly lie side by side already.

/** The octets of all messages in order, as one piece; copied only where they do not lie side by side. */
export function joined(messages: readonly Uint8Array[]): Uint8Array {
  const [first] = messages
  if (first === undefined) return new Uint8Array(0)
  let length = first.length
  for (let i = 1; i < messages.length; i++) {
    const message = messages[i]!
    if (message.buffer !== first.buffer || message.byteOffset !== first.byteOffset + length) {
      return Buffer.concat(messages)
    }
    length += message.length
  }
  return new Uint8Array(first.buffer, first.byteOffset, length)
}
