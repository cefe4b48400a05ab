/** The shop: catalogue, basket, checkout, orders, and the catalogue's care. */
import { Navigate, Route, Routes } from '@purser/ui';
import { AdminProductsPage } from './admin-products-page';
import { BasketPage } from './basket-page';
import { CataloguePage } from './catalogue-page';
import { CheckoutPage } from './checkout-page';
import { OrderPage } from './order-page';
import { OrdersPage } from './orders-page';
import { ProductPage } from './product-page';

export default function App() {
  return (
    <Routes>
      <Route path="/" element={<CataloguePage />} />
      <Route path="/products/:sku" element={<ProductPage />} />
      <Route path="/basket" element={<BasketPage />} />
      <Route path="/checkout" element={<CheckoutPage />} />
      <Route path="/orders" element={<OrdersPage />} />
      <Route path="/orders/:id" element={<OrderPage />} />
      <Route path="/admin/products" element={<AdminProductsPage />} />
      <Route path="*" element={<Navigate to="/orders" replace />} />
    </Routes>
  );
}

export { BasketButton as HeaderItem } from './basket-button';
