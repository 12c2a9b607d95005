/** The configurations of Kea that stand in the documents. */
import { allDocuments, blocks } from './documents.ts'

export interface KeaExample {
  /** Where it stands, for the titles of tests. */
  readonly what: string
  readonly family: 4 | 6
  /** As it stands, put into a whole where only the libraries are shown. */
  readonly text: string
}

export function keaExamples(): readonly KeaExample[] {
  return allDocuments().flatMap((document) =>
    blocks(document)
      .filter(({ language, text }) => language === 'json' && /"(Dhcp[46]|hooks-libraries)"/.test(text))
      .map(({ text }, i) => {
        const family = /"Dhcp6"/.test(text) ? 6 : 4
        const whole = text.trim().startsWith('{') ? text : `{ "Dhcp${family}": { ${text} } }`
        return { what: `${document.path}, number ${i + 1}`, family, text: whole }
      }),
  )
}
