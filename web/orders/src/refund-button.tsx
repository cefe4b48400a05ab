/** Gives money back, all of it or a part. */
import { useIntentKey } from '@purser/api';
import type { Payment } from '@purser/api';
import { Button, Group, Icon, InlineError, Stack, Text, TextInput, useDisclosure, useForm, useSubmit } from '@purser/ui';
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
  const refresh = useRefreshOrders();
  const { keyFor, settle } = useIntentKey();
  const form = useForm({ initialValues: { amount: (left / 10 ** digits).toFixed(digits) }, validate: { amount: (text) => amountProblem(text, payment) } });
  const { props, error, isPending } = useSubmit(form, {
    send: async ({ amount: text }) => {
      const amount = parseMoney(text, payment.currency)!;
      try {
        return await refundPayment(payment.id, amount, keyFor([payment.id, amount, payment.refunded_amount]));
      } finally {
        void refresh();
      }
    },
    done: () => {
      settle();
      onDone();
    },
  });
  return (
    <form {...props}>
      <Stack className="fields">
        <TextInput label={`Amount in ${payment.currency}`} description={`${formatMoney(left, payment.currency)} can be refunded`} inputMode="decimal" data-autofocus {...form.getInputProps('amount')} />
        <Group justify="flex-end"><Button variant="default" onClick={onDone}>Close</Button><Button type="submit" loading={isPending}>Refund</Button></Group>
        <InlineError error={error} />
      </Stack>
    </form>
  );
}

function amountProblem(text: string, payment: Payment): string | null {
  const amount = parseMoney(text, payment.currency);
  const left = payment.amount - payment.refunded_amount;
  if (amount === null || amount < 1) return 'Enter an amount';
  return amount > left ? `At most ${formatMoney(left, payment.currency)}` : null;
}
