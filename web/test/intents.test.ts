import { describe, expect, it } from 'vitest'

import type { Field, FieldOf, Kind, Said } from '../src/core/api'
import { beginsWith, filing, write, writeItems } from '../src/forms/intents'
import { filledIn } from '../src/forms/values'

const RECORD = '0'.repeat(32)

function field(type: Field['type']): Field {
  return {
    name: 'note',
    label: { zh: '备注', en: 'Remarks' },
    type,
    required: 'no',
    requiredWhen: null,
    audience: null,
    masked: false,
    written: 'always',
    closedIn: [],
    derived: false,
    leads: false,
    retired: false,
  }
}

function said(value: string): Said {
  return { value, text: { zh: value, en: value }, masked: false, by: null, own: false, at: null, receivedAt: null }
}

function of(shown: FieldOf['shown'], maySet = true): FieldOf {
  return { name: 'note', shown, maySet, mayAmend: !maySet, missing: false }
}

const text = field({ is: 'text', max: 60 })
const long = field({ is: 'long_text', max: 1000 })

describe('writing a field', () => {
  it('sets what is of one piece, and clears it with nothing', () => {
    expect(write(RECORD, text, of(null), '水窖', '')).toEqual([{ do: 'set', record: RECORD, values: { note: '水窖' } }])
    const stands = of({ is: 'value', ...said('水窖') })
    expect(write(RECORD, text, stands, '', '')).toEqual([{ do: 'set', record: RECORD, values: { note: null } }])
  })

  it('asks for nothing if it says what it said', () => {
    expect(write(RECORD, text, of({ is: 'value', ...said('水窖') }), '水窖', '')).toEqual([])
    expect(write(RECORD, text, of(null), null, '')).toEqual([])
  })

  it('edits a long text with what its person had before him', () => {
    const stands = of({ is: 'text', text: '前', masked: false })
    expect(write(RECORD, long, stands, '前后', '')).toEqual([{ do: 'edit', record: RECORD, field: 'note', before: '前', after: '前后' }])
  })

  it('chooses among several values, even the one that stands first', () => {
    const several = of({ is: 'conflict', said: [said('自来水'), said('水窖')] })
    expect(beginsWith(several)).toBeNull()
    expect(write(RECORD, text, several, '自来水', '')).toEqual([{ do: 'choose', record: RECORD, field: 'note', value: '自来水' }])
  })

  it('amends what is filed, with the reason', () => {
    const filed = of({ is: 'value', ...said('一') }, false)
    expect(write(RECORD, text, filed, '二', '写错了')).toEqual([{ do: 'amend', record: RECORD, values: { note: '二' }, reason: '写错了' }])
  })

  it('takes items away and adds others', () => {
    expect(writeItems(RECORD, text, { maySet: true }, [{ item: '查水表' }], ['a'], '')).toEqual([
      { do: 'remove', record: RECORD, field: 'note', items: ['a'] },
      { do: 'insert', record: RECORD, field: 'note', items: [{ item: '查水表' }] },
    ])
  })

  it('adds items to what is filed by amending it, with the reason', () => {
    const files = ['a'.repeat(64)]
    expect(writeItems(RECORD, text, { maySet: false }, files, [], '漏了')).toEqual([
      { do: 'amend', record: RECORD, values: { note: files }, reason: '漏了' },
    ])
    expect(writeItems(RECORD, text, { maySet: false }, null, [], '漏了')).toEqual([])
  })
})

describe('filing a new record', () => {
  const kind = {
    name: 'visit',
    states: [
      { name: 'draft', initial: true, filed: false, closed: false },
      { name: 'filed', initial: false, filed: true, closed: false },
    ],
    actions: [{ name: 'file', from: ['draft'], to: 'filed', needsReason: false, needs: [], writes: [], retired: false }],
  } as unknown as Kind

  it('takes the action that asks for nothing more', () => {
    expect(filing(kind)).toBe('file')
  })

  it('leaves a draft where the action asks for more', () => {
    expect(filing({ ...kind, actions: kind.actions.map((action) => ({ ...action, needs: ['note'] })) })).toBeNull()
  })

  it('brings what was filled in and nothing else', () => {
    expect(filledIn({ a: ' 好 ', b: '', c: null, d: [], e: false, f: 0 })).toEqual({ a: '好', e: false, f: 0 })
  })
})
