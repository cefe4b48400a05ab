/**
 * The design kit, and the one place through which packages use Mantine, the router and the query library: the shell
 * ships it once, and every micro front end shares it. Only what is named here is in the bundle.
 */
export {
  ActionIcon, Alert, Anchor, AppShell, Avatar, Badge, Box, Burger, Button, Card, Center, Container, Divider, Drawer,
  Grid, Group, Indicator, MantineProvider, Modal, NativeSelect, Paper, PasswordInput,
  Radio, SegmentedControl, SimpleGrid, Skeleton, Stack, Table, Tabs, Text, Textarea, TextInput,
  ThemeIcon, Title, UnstyledButton, VisuallyHidden, useComputedColorScheme, useMantineColorScheme,
} from '@mantine/core';
export { useDisclosure } from '@mantine/hooks';
export { useForm } from '@mantine/form';
export { Notifications, notifications } from '@mantine/notifications';
export {
  BrowserRouter, Link, MemoryRouter, Navigate, NavLink, Route, Routes,
  useLocation, useNavigate, useParams, useSearchParams,
} from 'react-router';
export {
  keepPreviousData, QueryClient, QueryClientProvider, useInfiniteQuery, useMutation, useQuery, useQueryClient,
} from '@tanstack/react-query';
export type { Query } from '@tanstack/react-query';
export { theme } from './theme';
export { makeQueryClient } from './query';
export { formatDateTime, formatMoney, formatNumber, formatRelative, minorDigits, parseMoney } from './format';
export { EmptyState, ErrorState, InlineError } from './states';
export { PageHeader, Page } from './page';
export { usePageTitle } from './title';
export { OrderStatusBadge, ORDER_STATUS_LABELS, PaymentStatusBadge, StatusBadge } from './status';
export { ConfirmButton } from './confirm';
export { applyProblem } from './problem-form';
export { LoadMore } from './load-more';
export { lazyPage } from './lazy-page';
export { ProductArt } from './product-art';
export { RelativeTime } from './relative-time';
export { Logo } from './logo';
export { Icon } from './icons';
export type { IconName } from './icons';
