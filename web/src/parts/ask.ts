import { showConfirmDialog } from 'vant'

import { t } from '../i18n'

/** Asks whether to go on; resolves to the answer. */
export async function ask(title: string, message = '', grave = false): Promise<boolean> {
  try {
    await showConfirmDialog({
      title,
      message,
      confirmButtonText: t('common.ok'),
      cancelButtonText: t('common.cancel'),
      ...(grave ? { confirmButtonColor: 'var(--red)' } : {}),
    })
    return true
  } catch {
    return false
  }
}
