/** After a payment that failed: the same order, another try. */
import { useRef, useState } from 'react';
import { useIntentKey } from '@purser/api';
import type { Order } from '@purser/api';
import { Button, Card, FormFoot, Stack, Text, Title, useMutation } from '@purser/ui';
import { formatMoney } from '@purser/ui/pages';
import { isFinal } from './place-order';
import { PaymentMethodPicker } from './payment-method-picker';
import { payOrder, useRefreshOrders } from './requests';
import { failureText, PAYMENT_METHODS } from './rules';

export function PayAgain({ order }: { order: Order }) {
  const [method, setMethod] = useState(PAYMENT_METHODS[0]!.value);
  const refresh = useRefreshOrders();
  const { keyFor, settle } = useIntentKey();
  const busy = useRef(false);
  const task = useMutation({
    mutationFn: () => payOrder(order.id, method, keyFor([order.id, method, order.payment?.id])),
    onSuccess: settle,
    onError: (error) => isFinal(error) && settle(),
    onSettled: async () => {
      await refresh();
      busy.current = false;
    },
  });
  const pay = () => {
    if (busy.current) return;
    busy.current = true;
    task.mutate();
  };
  return (
    <Card>
      <Stack>
        <Title order={2}>Try another way to pay</Title>
        <Text>{failureText(order.payment?.failure_code)} Your items are still reserved.</Text>
        <PaymentMethodPicker value={method} onChange={setMethod} />
        <FormFoot hint="Nothing has been charged so far. Your order waits for you here." error={task.error}>
          <Button size="md" loading={task.isPending} onClick={pay}>Pay {formatMoney(order.total, order.currency)}</Button>
        </FormFoot>
      </Stack>
    </Card>
  );
}
