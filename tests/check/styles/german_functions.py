import numpy as np
np.random.seed(42)

# conv layer of our group project (WS 19/20)
def faltung_vorwaerts(bild, gewichte, bias, schritt=1):
    n, c, h, b = bild.shape
    k, _, fh, fb = gewichte.shape
    hoehe = (h - fh) // schritt + 1
    breite = (b - fb) // schritt + 1
    aus = np.zeros((n, k, hoehe, breite))
    for i in range(hoehe):
        for j in range(breite):
            fenster = bild[:, :, i * schritt:i * schritt + fh, j * schritt:j * schritt + fb]
            aus[:, :, i, j] = np.einsum('nchw,kchw->nk', fenster, gewichte) + bias
    return aus, (bild, gewichte, bias, schritt)


def faltung_rueckwaerts(fehler, speicher):
    bild, gewichte, bias, schritt = speicher
    k, _, fh, fb = gewichte.shape
    _, _, hoehe, breite = fehler.shape
    d_bild = np.zeros_like(bild, dtype=float)
    d_gewichte = np.zeros_like(gewichte, dtype=float)
    d_bias = np.zeros_like(bias, dtype=float)
    for i in range(hoehe):
        for j in range(breite):
            f = fehler[:, :, i, j]
            fenster = bild[:, :, i * schritt:i * schritt + fh, j * schritt:j * schritt + fb]
            d_gewichte += np.einsum('nk,nchw->kchw', f, fenster)
            d_bild[:, :, i * schritt:i * schritt + fh, j * schritt:j * schritt + fb] += np.einsum('nk,kchw->nchw', f, gewichte)
            d_bias += f.sum(axis=0)
    return d_bild, d_gewichte, d_bias
