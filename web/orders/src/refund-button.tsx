/** Gives money back, all of it or a part. */
import { useState } from 'react';
import { fieldErrors, useIntentKey } from '@purser/api';
import type { Payment } from '@purser/api';
import { Button, Group, Icon, InlineError, Stack, Text, TextInput, useDisclosure, useMutation } from '@purser/ui';
import { formatMoney, minorDigits, Modal, parseMoney } from '@purser/ui/pages';
import { refundPayment, useRefreshOrders } from './requests';

export function RefundButton({ payment }: { payment: Payment }) {
  const [opened, { open, close }] = useDisclosure(false);
  return (
    <>
      <Button variant="default" leftSection={<Icon name="undo" />} onClick={open}>Refund</Button>
      <Modal opened={opened} onClose={close} title={<Text fw={650}>Refund a payment</Text>} closeButtonProps={{ 'aria-label': 'Close' }}>
        <RefundForm payment={payment} onDone={close} />
      </Modal>
    </>
  );
}

function RefundForm({ payment, onDone }: { payment: Payment; onDone: () => void }) {
  const left = payment.amount - payment.refunded_amount;
  const digits = minorDigits(payment.currency);
  const [text, setText] = useState((left / 10 ** digits).toFixed(digits));
  const [problem, setProblem] = useState<string | null>(null);
  const refresh = useRefreshOrders();
  const { keyFor, settle } = useIntentKey();
  const task = useMutation({
    mutationFn: (amount: number) => refundPayment(payment.id, amount, keyFor([payment.id, amount, payment.refunded_amount])),
    onSuccess: () => {
      settle();
      onDone();
    },
    onSettled: refresh,
  });
  const submit = () => {
    const amount = parseMoney(text, payment.currency);
    if (amount === null || amount < 1) setProblem('Enter an amount');
    else if (amount > left) setProblem(`At most ${formatMoney(left, payment.currency)}`);
    else if (!task.isPending) {
      setProblem(null);
      task.mutate(amount);
    }
  };
  return (
    <form onSubmit={(event) => { event.preventDefault(); submit(); }}>
      <Stack>
        <TextInput label={`Amount in ${payment.currency}`} description={`${formatMoney(left, payment.currency)} can be refunded`} inputMode="decimal" data-autofocus
          value={text} onChange={(event) => setText(event.currentTarget.value)} error={problem ?? fieldErrors(task.error)['amount']} />
        <InlineError error={task.error} />
        <Group justify="flex-end"><Button variant="default" onClick={onDone}>Close</Button><Button type="submit" loading={task.isPending}>Refund</Button></Group>
      </Stack>
    </form>
  );
}
