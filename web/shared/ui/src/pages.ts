/** The rest of the kit: fetched with the first page that uses it, and from then on shared by all. */
export {
  Badge, Divider, Drawer, Grid, Modal, NativeSelect, Radio, SegmentedControl, SimpleGrid, Tabs, Textarea,
} from '@mantine/core';
export { Notifications, notifications } from '@mantine/notifications';
export { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
export { formatDateTime, formatMoney, formatNumber, formatRelative, minorDigits, parseMoney } from './format';
export { OrderStatusBadge, ORDER_STATUS_LABELS, PaymentStatusBadge, StatusBadge } from './status';
export { ConfirmButton } from './confirm';
export { DataTable } from './data-table';
export type { Column } from './data-table';
export { LoadMore } from './load-more';
export { ProductArt } from './product-art';
export { RelativeTime } from './relative-time';
