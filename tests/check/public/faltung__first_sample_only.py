# Faltungsschicht fuer das Praktikum "Neuronale Netze"
import numpy as np


class Faltung:
    def __init__(self, eingangskanaele, ausgangskanaele, filtergroesse, schrittweite=1):
        self.schritt = schrittweite
        self.k = filtergroesse
        self.gewichte = np.random.randn(ausgangskanaele, eingangskanaele, filtergroesse, filtergroesse)
        self.bias = np.zeros(ausgangskanaele)

    def vorwaerts(self, x):
        self.x = x
        s, k = self.schritt, self.k
        hoehe = (x.shape[2] - k) // s + 1
        breite = (x.shape[3] - k) // s + 1
        y = np.zeros((x.shape[0], len(self.gewichte), hoehe, breite))
        for a in range(hoehe):
            for b in range(breite):
                y[:, :, a, b] = np.einsum('ncij,kcij->nk', x[:, :, a*s:a*s+k, b*s:b*s+k], self.gewichte) + self.bias
        return y

    def rueckwaerts(self, fehler):
        s, k = self.schritt, self.k
        self.dgewichte = np.zeros_like(self.gewichte)
        dx = np.zeros_like(self.x)
        for n in range(self.x.shape[0]):
            for a in range(fehler.shape[2]):
                for b in range(fehler.shape[3]):
                    for f in range(fehler.shape[1]):
                        self.dgewichte[f] += fehler[n, f, a, b] * self.x[0, :, a*s:a*s+k, b*s:b*s+k]
                        dx[n, :, a*s:a*s+k, b*s:b*s+k] += fehler[n, f, a, b] * self.gewichte[f]
        self.dbias = fehler.sum(axis=(0, 2, 3))
        return dx
