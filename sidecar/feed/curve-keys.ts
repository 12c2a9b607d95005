// The keys of a feed over tcp://, in a file as ZeroMQ's tools write them (zcert), with the hook's public key beside them:
//
//     curve
//         public-key = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
//         secret-key = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"
//         server-key = "…"        the public key of the hook
import { readFileSync, statSync } from 'node:fs'
import { reasonOf, SidecarError } from '../errors.ts'
import type { CurveKeys } from './link.ts'

/** Octets of such a file at most. */
const MAX_FILE = 64 * 1024
/** RFC 32/Z85, of 32 octets. */
const KEY = /^[0-9a-zA-Z.\-:+=^!/*?&<>()[\]{}@%$#]{40}$/

/** @throws SidecarError ALQ_FEED_KEYS, which never quotes a key */
export function readCurveKeys(path: string): CurveKeys {
  try {
    const about = statSync(path)
    if (!about.isFile() || about.size > MAX_FILE) throw new Error('it is no file of keys')
    if ((about.mode & 0o007) !== 0)
      throw new Error('it may be read by everybody; close it to others (chmod o=)')
    const text = readFileSync(path, 'utf8')
    return {
      publicKey: keyOf(text, 'public-key'),
      secretKey: keyOf(text, 'secret-key'),
      serverPublicKey: keyOf(text, 'server-key'),
    }
  } catch (error) {
    throw new SidecarError('ALQ_FEED_KEYS', { path, reason: reasonOf(error) }, { cause: error })
  }
}

function keyOf(text: string, name: string): string {
  const values = [...text.matchAll(new RegExp(`^[ \\t]*${name}[ \\t]*=[ \\t]*"(.*)"[ \\t]*$`, 'gm'))]
  const key = values[0]?.[1]
  if (values.length !== 1 || key === undefined || !KEY.test(key))
    throw new Error(`one line ${name} = "…" with 40 characters of Z85 is wanted`)
  return key
}

/** A new key pair, as the file that {@link readCurveKeys} reads, but for the key of the hook. */
export function formatCurveKeys({ publicKey, secretKey }: { publicKey: string; secretKey: string }): string {
  return `curve
    public-key = "${publicKey}"
    secret-key = "${secretKey}"
`
}
