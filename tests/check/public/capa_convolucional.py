import numpy as np


class CapaConvolucional:
    """Capa de convolución: entrada (lote, canales, alto, ancho)."""

    def __init__(self, canales_entrada, num_filtros, tam_filtro, paso=1, relleno=0):
        self.paso = paso
        self.relleno = relleno
        self.tam = tam_filtro
        self.filtros = np.random.randn(num_filtros, canales_entrada, tam_filtro, tam_filtro) * 0.1
        self.sesgo = np.zeros(num_filtros)

    def adelante(self, entrada):
        r, s, t = self.relleno, self.paso, self.tam
        self.entrada = entrada
        self.rellenada = np.pad(entrada, ((0, 0), (0, 0), (r, r), (r, r)), mode='constant')
        alto = (self.rellenada.shape[2] - t) // s + 1
        ancho = (self.rellenada.shape[3] - t) // s + 1
        salida = np.zeros((entrada.shape[0], self.filtros.shape[0], alto, ancho))
        for i in range(alto):
            for j in range(ancho):
                trozo = self.rellenada[:, :, i*s:i*s+t, j*s:j*s+t]
                salida[:, :, i, j] = np.tensordot(trozo, self.filtros, axes=([1, 2, 3], [1, 2, 3])) + self.sesgo
        return salida

    def atras(self, gradiente, tasa):
        r, s, t = self.relleno, self.paso, self.tam
        grad_filtros = np.zeros_like(self.filtros)
        grad_rellenada = np.zeros_like(self.rellenada)
        for i in range(gradiente.shape[2]):
            for j in range(gradiente.shape[3]):
                g = gradiente[:, :, i, j]
                trozo = self.rellenada[:, :, i*s:i*s+t, j*s:j*s+t]
                grad_filtros += np.tensordot(g, trozo, axes=(0, 0))
                grad_rellenada[:, :, i*s:i*s+t, j*s:j*s+t] += np.tensordot(g, self.filtros, axes=(1, 0))
        grad_sesgo = gradiente.sum(axis=(0, 2, 3))
        self.filtros = self.filtros - tasa * grad_filtros
        self.sesgo = self.sesgo - tasa * grad_sesgo
        h, w = self.entrada.shape[2:]
        return grad_rellenada[:, :, r:r+h, r:r+w]


class CapaReLU:
    def adelante(self, x):
        self.mascara = x > 0
        return x * self.mascara

    def atras(self, gradiente, tasa):
        return gradiente * self.mascara
