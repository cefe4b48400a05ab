/** The states of orders and payments in words and colours; never in colours alone. */
import { Badge } from '@mantine/core';
import type { OrderStatus, Payment } from '@purser/api';

export const ORDER_STATUS_LABELS: Record<OrderStatus, string> = {
  pending_payment: 'Waiting for payment',
  paid: 'Paid',
  payment_failed: 'Payment failed',
  cancelled: 'Cancelled',
  shipped: 'Shipped',
  delivered: 'Delivered',
};

const ORDER_COLORS: Record<OrderStatus, string> = {
  pending_payment: 'brass', paid: 'harbor', payment_failed: 'red', cancelled: 'gray', shipped: 'blue', delivered: 'green',
};

const PAYMENT: Record<Payment['status'], [string, string]> = {
  pending: ['In progress', 'brass'], succeeded: ['Succeeded', 'harbor'], failed: ['Failed', 'red'],
  partially_refunded: ['Partly refunded', 'blue'], refunded: ['Refunded', 'gray'],
};

export function OrderStatusBadge({ status }: { status: OrderStatus }) {
  return <StatusBadge color={ORDER_COLORS[status] ?? 'gray'} label={ORDER_STATUS_LABELS[status] ?? status} />;
}

export function PaymentStatusBadge({ status }: { status: Payment['status'] }) {
  const [label, color] = PAYMENT[status] ?? [status, 'gray'];
  return <StatusBadge color={color} label={label} />;
}

/** A word in a colour, dark or light enough to be read on its own tint. */
export function StatusBadge({ color, label, size = 'lg' }: { color: string; label: string; size?: 'md' | 'lg' }) {
  const text = `light-dark(color-mix(in srgb, var(--mantine-color-${color}-9) 75%, black), var(--mantine-color-${color}-2))`;
  return <Badge color={color} size={size} tt="none" fw={600} styles={{ label: { color: text } }}>{label}</Badge>;
}
