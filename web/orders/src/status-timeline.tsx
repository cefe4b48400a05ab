/** The way of an order. A change is announced to those who do not see it. */
import type { Order } from '@purser/api';
import { Icon, Text, VisuallyHidden } from '@purser/ui';
import { formatDateTime, ORDER_STATUS_LABELS } from '@purser/ui/pages';
import { failureText, timeline } from './rules';
import type { Step } from './rules';

const PLACED = 'Order placed';

export function StatusTimeline({ order }: { order: Pick<Order, 'history' | 'status'> }) {
  return (
    <>
      <VisuallyHidden role="status">{`Order status: ${ORDER_STATUS_LABELS[order.status]}`}</VisuallyHidden>
      <ol className="timeline" data-testid="timeline">
        {timeline(order).map((step, index) => <Entry key={`${step.status} ${index}`} step={step} first={index === 0} />)}
      </ol>
    </>
  );
}

function Entry({ step, first }: { step: Step; first: boolean }) {
  const label = step.status === 'pending_payment' ? (first ? PLACED : 'Paying again') : ORDER_STATUS_LABELS[step.status];
  return (
    <li data-state={step.state} data-status={step.status} className={step.state === 'ahead' ? undefined : 'flash'}>
      <span className="timeline-dot"><Mark state={step.state} /></span>
      <Text fw={step.state === 'ahead' ? 450 : 600} c={step.state === 'ahead' ? 'dimmed' : undefined}>{label}</Text>
      {step.at !== null && <Text size="sm" c="dimmed">{formatDateTime(step.at)}{step.state === 'now' && ' · waiting for the bank'}</Text>}
      {step.status === 'payment_failed' && <Text size="sm">{failureText(step.reason)}</Text>}
      {step.status === 'cancelled' && step.reason !== null && <Text size="sm" c="dimmed">{sentence(step.reason)}</Text>}
    </li>
  );
}

function sentence(reason: string): string {
  const words = reason.replace(/_/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function Mark({ state }: { state: Step['state'] }) {
  if (state === 'done') return <Icon name="check" size={13} />;
  if (state === 'bad') return <Icon name="x" size={13} />;
  return state === 'now' ? <Icon name="clock" size={13} /> : null;
}
