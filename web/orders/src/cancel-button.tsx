/** Cancels an order; money that was taken comes back. */
import { useIntentKey } from '@purser/api';
import type { Order } from '@purser/api';
import { ConfirmButton } from '@purser/ui/pages';
import { moveOrder, useRefreshOrders } from './requests';

export function CancelButton({ order }: { order: Order }) {
  const refresh = useRefreshOrders();
  const { keyFor, settle } = useIntentKey();
  const cancel = async () => {
    try {
      await moveOrder(order.id, 'cancel', keyFor(order.id));
      settle();
    } finally {
      await refresh();
    }
  };
  return (
    <ConfirmButton label="Cancel order" variant="default" size="sm" question="Cancel this order?" confirm="Cancel the order" action={cancel}
      text={order.status === 'paid' ? 'The whole amount goes back to your card.' : 'Nothing will be charged.'} />
  );
}
