/** One order, live: where it is, what is in it, what was paid, what can be done. */
import { ApiError, useUser } from '@purser/api';
import type { Order } from '@purser/api';
import { Anchor, Button, Card, EmptyState, ErrorState, Group, Link, Page, PageHeader, Skeleton, Stack, Text, Title, useParams } from '@purser/ui';
import { Divider, formatDateTime, formatMoney, Grid, OrderStatusBadge, PaymentStatusBadge } from '@purser/ui/pages';
import { AdminActions } from './admin-actions';
import { CancelButton } from './cancel-button';
import { LineThumb } from './line-thumb';
import { PayAgain } from './pay-again';
import { useOrder, useOrderPayments } from './requests';
import { canCancel, failureText, isId, methodLabel, shortId } from './rules';
import { StatusTimeline } from './status-timeline';

export function OrderPage() {
  const { id } = useParams();
  const valid = isId(id);
  const query = useOrder(id ?? '', valid);
  const missing = query.error instanceof ApiError && [403, 404, 422].includes(query.error.status);
  if (!valid || missing) {
    return <Page title="There is no such order"><EmptyState icon="search" title="There is no such order" text="The link may be incomplete, or the order may belong to another account." action={<Button component={Link} to="/orders">To my orders</Button>} /></Page>;
  }
  if (query.isPending) return <Waiting />;
  if (query.data === undefined) return <Page><ErrorState error={query.error} onRetry={() => void query.refetch()} /></Page>;
  return <Found order={query.data} />;
}

function Found({ order }: { order: Order }) {
  const admin = useUser()?.role === 'admin';
  return (
    <Page>
      <Anchor component={Link} to="/orders" size="sm">← Orders</Anchor>
      <PageHeader title={`Order ${shortId(order.id)}`} text={formatDateTime(order.created_at)}
        actions={<><OrderStatusBadge status={order.status} />{canCancel(order.status) && <CancelButton order={order} />}</>} />
      <Grid gap="lg">
        <Grid.Col span={{ base: 12, md: 7 }}>
          <Stack>
            {order.status === 'payment_failed' && <PayAgain order={order} />}
            <Receipt order={order} />
            {admin && <AdminActions order={order} />}
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 5 }}>
          <Stack>
            <Card><Stack><Title order={2}>Progress</Title><StatusTimeline order={order} /></Stack></Card>
            <Payments order={order} />
          </Stack>
        </Grid.Col>
      </Grid>
    </Page>
  );
}

function Receipt({ order }: { order: Order }) {
  const paid = ['paid', 'shipped', 'delivered'].includes(order.status);
  return (
    <Card>
      <Stack>
        <Title order={2}>{paid ? 'Receipt' : 'Items'}</Title>
        {order.items.map((item) => (
          <Group key={item.sku} justify="space-between" wrap="nowrap">
            <Group gap="sm" wrap="nowrap" miw={0}>
              <LineThumb sku={item.sku} />
              <Stack gap={0} miw={0}><Text fw={550} lineClamp={2}>{item.name}</Text><Text size="sm" c="dimmed" className="numeric">{item.quantity} × {formatMoney(item.unit_price, order.currency)}</Text></Stack>
            </Group>
            <Text className="numeric">{formatMoney(item.line_total, order.currency)}</Text>
          </Group>
        ))}
        <Divider />
        <Group justify="space-between"><Text fw={650}>Total</Text><Text fw={720} fz="xl" className="numeric">{formatMoney(order.total, order.currency)}</Text></Group>
      </Stack>
    </Card>
  );
}

function Payments({ order }: { order: Order }) {
  const query = useOrderPayments(order.id, true);
  const payments = query.data?.data ?? (order.payment === null ? [] : [order.payment]);
  return (
    <Card mih={120}>
      <Stack gap="sm">
        <Title order={2}>Payment</Title>
        {payments.length === 0 && <Text c="dimmed">Being started…</Text>}
        {payments.map((payment) => (
          <Stack key={payment.id} gap={2}>
            <Group justify="space-between"><Text fw={550}>{methodLabel(payment.payment_method)}</Text><PaymentStatusBadge status={payment.status} /></Group>
            <Text size="sm" c="dimmed" className="numeric">
              {formatMoney(payment.amount, payment.currency)}
              {payment.status === 'failed' && ` · ${failureText(payment.failure_code)}`}
              {payment.refunded_amount > 0 && ` · ${formatMoney(payment.refunded_amount, payment.currency)} refunded`}
            </Text>
          </Stack>
        ))}
      </Stack>
    </Card>
  );
}

function Waiting() {
  return (
    <Page>
      <Stack role="status" aria-label="Loading">
        <Skeleton height={20} width={70} /><Skeleton height={56} width={240} />
        <Grid gap="lg">
          <Grid.Col span={{ base: 12, md: 7 }}><Skeleton height={240} radius="lg" /></Grid.Col>
          <Grid.Col span={{ base: 12, md: 5 }}><Skeleton height={290} radius="lg" /></Grid.Col>
        </Grid>
      </Stack>
    </Page>
  );
}
