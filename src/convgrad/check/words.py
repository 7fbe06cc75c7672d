"""Names in English: people also write `paso`, `schrittweite` and `tailleFiltre`."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

_ENGLISH: dict[str, str] = {
    "forward": "adelante vorwaerts vorwarts avant avanti vpered qianxiang junpa",
    "backward": "atras rueckwaerts ruckwarts arriere tras indietro nazad fanxiang gyakudenpa",
    "propagate": "propagar propager propagare propagiere propagieren",
    "propagation": "propagacion propagacao propagazione",
    "backpropagation": (
        "retropropagacion retropropagation retropropagacao retropropagazione rueckpropagation "
        "retropropagar retropropager rueckfuehrung"
    ),
    "layer": "capa schicht couche camada strato sloi",
    "convolution": "convolucion convolucional convolucao convoluzione faltung svertka",
    "stride": "paso pasos zancada schrittweite schritt pas passo shag",
    "padding": "relleno auffuellung fuellung polsterung rembourrage remplissage preenchimento riempimento otstup",  # noqa: E501
    "dilation": "dilatacion dilatacao dilatazione",
    "gradient": "gradiente gradienten gradiant",
    "error": "fehler erreur errore erro oshibka",
    "in": "entrada entradas eingang eingangs eingabe entree ingresso vhod",
    "out": "salida salidas ausgang ausgangs ausgabe sortie saida uscita vyhod",
    "filters": "filtros filtres filtri filtry",
    "filter": "filtro filtre",
    "kernel": "nucleo nucleos noyau noyaux",
    "weights": "gewichte gewicht pesos poids pesi vesa",
    "bias": "sesgo sesgos biais vies schwelle smeshchenie",
    "channels": "canales canaux canais canali kanaele kanale kanaly profundidad",
    "image": "imagen bild imagem immagine",
    "size": "tam tamano taille tamanho dimensione groesse grosse razmer",
    "height": "alto altura hoehe hohe hauteur altezza",
    "width": "ancho anchura breite largeur largura larghezza",
    "num": "numero cantidad anzahl nombre quantidade kolichestvo",
    "learning": "aprendizaje apprentissage aprendizado apprendimento lern",
    "rate": "tasa taux taxa tasso",
    "learning_rate": "lernrate",
    "cache": "speicher zwischenspeicher memoria memoire zapas pamyat kesh",
    "in_channels": "eingangskanaele eingabekanaele eingangskanale",
    "out_channels": "ausgangskanaele ausgabekanaele ausgangskanale",
    "filter_size": "filtergroesse kerngroesse kernelgroesse",
    "num_filters": "filteranzahl filterzahl",
    "": "de del da di do la el le hacia para des du",
}
_WORDS = {word: english for english, words in _ENGLISH.items() for word in words.split()}
_ORDER = {"num": 0, "learning": 1, "in": 1, "out": 1, "size": 3, "height": 3, "width": 3, "rate": 3}


@cache
def in_english(name: str) -> str:
    """The name with its words translated and in English order; unchanged where none is known.

    >>> in_english("canales_entrada"), in_english("dGewichte"), in_english("kernel_size")
    ('in_channels', 'd_weights', 'kernel_size')
    """
    ascii_name = unicodedata.normalize("NFKD", name.replace("ß", "ss"))
    letters = "".join(c for c in ascii_name if not unicodedata.combining(c))
    words: list[str] = []
    known = False
    for word in snake_case(letters).split("_"):
        prefix = "d" if word not in _WORDS and word[:1] == "d" and word[1:] in _WORDS else ""
        plain = word.removeprefix(prefix)
        known = known or bool(_WORDS.get(plain))
        words += [prefix] * bool(prefix) + [_WORDS.get(plain, plain)]
    if not known:
        return name
    words = [word for word in words if word]
    return "_".join(sorted(words, key=lambda word: _ORDER.get(word, 2 if word != "d" else 0)))


@cache
def snake_case(name: str) -> str:
    """Humps as underscores.

    >>> snake_case("cnnGradient"), snake_case("dW"), snake_case("Conv2D")
    ('cnn_gradient', 'd_w', 'conv2_d')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
