/** What administrators do with an order: ship, deliver, refund. Not there where there is nothing to do. */
import { useIntentKey } from '@purser/api';
import type { Order } from '@purser/api';
import { Button, Card, FormFoot, Icon, Stack, Title, useMutation } from '@purser/ui';
import { RefundButton } from './refund-button';
import { moveOrder, useRefreshOrders } from './requests';
import { canRefund } from './rules';

export function AdminActions({ order }: { order: Order }) {
  const refresh = useRefreshOrders();
  const { keyFor, settle } = useIntentKey();
  const move = useMutation({
    mutationFn: (step: 'ship' | 'deliver') => moveOrder(order.id, step, keyFor([order.id, step])),
    onSuccess: settle,
    onSettled: refresh,
  });
  const nothing = order.status !== 'paid' && order.status !== 'shipped' && !canRefund(order.payment);
  if (nothing && move.error === null) return null;
  return (
    <Card>
      <Stack>
        <Title order={2}>Administration</Title>
        <FormFoot hint="The buyer is told at once, wherever they are signed in." error={move.error}>
          {order.status === 'paid' && <Button leftSection={<Icon name="truck" />} loading={move.isPending} onClick={() => move.mutate('ship')}>Mark as shipped</Button>}
          {order.status === 'shipped' && <Button leftSection={<Icon name="check" />} loading={move.isPending} onClick={() => move.mutate('deliver')}>Mark as delivered</Button>}
          {order.payment !== null && canRefund(order.payment) && <RefundButton payment={order.payment} />}
        </FormFoot>
      </Stack>
    </Card>
  );
}
