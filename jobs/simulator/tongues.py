"""German, Spanish, French and Chinese words, and the templates written in those languages.

Nouns are plural and adjectives do not depend on gender, so that every combination is a
grammatical sentence. Written for this project; nothing is copied from a corpus.
"""

# Prompts are kept whole, and some scripts are two columns wide.
# ruff: noqa: E501
from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jobs.simulator.words import split_words


@dataclass(frozen=True)
class Tongue:
    """What a language brings to the grammar: noun phrases, predicates, adjuncts, joiners."""

    nouns: list[str]
    adjectives: list[str]
    verbs: list[str]
    adjuncts: list[str]
    noun_phrase: str  # format of a noun phrase from {adjective} and {noun}
    stop: str  # ends a sentence
    gap: str  # stands between words


TONGUES: Final[dict[str, Tongue]] = {
    "de": Tongue(
        nouns=split_words(
            """Rechnungen Verträge Berichte Kunden Lieferungen Tabellen Anträge Bücher Zahlen
            Aufgaben Verfahren Termine Geräte Rezepte Züge Reisen Schulen Fragen Antworten Daten
            Programme Fehler Listen Briefe Pläne Kosten Preise Märkte Gärten Pflanzen Straßen
            Städte Inseln Spiele Regeln Figuren Lieder Konzerte Läufer Mannschaften Mitarbeiter
            Schulungen Patienten Medikamente Quellen Gesetze Urteile Steuern Bilder Karten Wellen
            Kräfte Stoffe Kristalle Pakete Lager Anzeigen Marken Kapitel Drachen Server Abfragen
            Netze Sicherungen"""
        ),
        adjectives=split_words(
            """neuen alten offenen seltenen wichtigen fehlenden günstigen lokalen jährlichen
            verspäteten geheimen einfachen schwierigen großen kleinen lauten gemeinsamen
            unklaren vorläufigen zuverlässigen fremden digitalen gedruckten letzten"""
        ),
        verbs=split_words(
            """verändern ersetzen verbessern erklären bestätigen verzögern brauchen betreffen
            überraschen beschreiben enthalten schützen verbinden prüfen messen sammeln ordnen
            begrenzen vereinfachen stören ergänzen beeinflussen vergleichen verschieben"""
        ),
        adjuncts=[
            "vor der Prüfung",
            "seit dem letzten Winter",
            "in den meisten Fällen",
            "ohne Warnung",
            "nach den neuen Regeln",
            "am Ende des Monats",
            "trotz aller Zusagen",
            "mit wenig Aufwand",
            "laut zwei Quellen",
            "in kleineren Orten",
            "während der Ferien",
            "im zweiten Kapitel",
            "auf älteren Geräten",
            "bis sich jemand beschwert",
            "zum ersten Mal",
            "außerhalb der Bürozeiten",
        ],
        noun_phrase="die {adjective} {noun}",
        stop=". ",
        gap=" ",
    ),
    "es": Tongue(
        nouns=split_words(
            """los_informes los_contratos los_pedidos los_clientes los_datos los_programas
            los_errores los_planes los_precios los_mercados los_jardines los_libros los_trenes
            los_viajes los_museos los_juegos los_personajes los_conciertos los_equipos
            los_pacientes los_medicamentos los_impuestos los_mapas los_cristales los_paquetes
            los_almacenes los_anuncios los_capítulos los_dragones los_servidores las_facturas
            las_tablas las_preguntas las_respuestas las_listas las_cartas las_reglas
            las_canciones las_fuentes las_leyes las_ondas las_fuerzas las_marcas las_consultas
            las_redes las_copias las_escuelas las_recetas las_plantas las_calles las_ciudades
            las_islas las_entregas las_tareas las_fechas las_reuniones"""
        ),
        adjectives=split_words(
            """recientes grandes importantes simples débiles fuertes útiles estables urgentes
            breves frecuentes posibles locales anuales semanales digitales globales finales
            pendientes visibles fiables rurales iguales diferentes"""
        ),
        verbs=split_words(
            """cambian reemplazan mejoran explican confirman retrasan necesitan afectan sorprenden
            describen contienen protegen conectan miden recogen ordenan limitan simplifican
            interrumpen completan revelan comparan bloquean organizan"""
        ),
        adjuncts=[
            "antes de la auditoría",
            "desde el invierno pasado",
            "en la mayoría de los casos",
            "sin previo aviso",
            "según las nuevas normas",
            "a final de mes",
            "a pesar de las promesas",
            "con poco esfuerzo",
            "según dos fuentes",
            "en pueblos pequeños",
            "durante las vacaciones",
            "en el segundo capítulo",
            "en dispositivos antiguos",
            "hasta que alguien protesta",
            "por primera vez",
            "fuera de horario",
        ],
        noun_phrase="{noun} {adjective}",
        stop=". ",
        gap=" ",
    ),
    "fr": Tongue(
        nouns=split_words(
            """factures contrats rapports clients livraisons tableaux demandes livres chiffres
            tâches procédures dates appareils recettes trains voyages écoles questions réponses
            données programmes erreurs listes lettres plans coûts prix marchés jardins plantes
            rues villes îles jeux règles personnages chansons concerts coureurs équipes employés
            formations patients médicaments sources lois jugements impôts images cartes ondes
            forces matières cristaux colis entrepôts annonces marques chapitres dragons serveurs
            requêtes réseaux sauvegardes"""
        ),
        adjectives=split_words(
            """utiles simples rapides fiables stables modestes énormes rares jeunes solides
            fragiles vastes propres étranges faibles drôles célèbres ordinaires temporaires
            nécessaires possibles semblables multiples pénibles"""
        ),
        verbs=split_words(
            """changent remplacent améliorent expliquent confirment retardent exigent touchent
            surprennent décrivent contiennent protègent relient mesurent collectent rangent
            limitent simplifient gênent complètent révèlent comparent bloquent organisent"""
        ),
        adjuncts=[
            "avant le contrôle",
            "depuis l'hiver dernier",
            "dans la plupart des cas",
            "sans prévenir",
            "selon les nouvelles règles",
            "à la fin du mois",
            "malgré les promesses",
            "sans grand effort",
            "d'après deux sources",
            "dans les petites villes",
            "pendant les vacances",
            "au deuxième chapitre",
            "sur les anciens appareils",
            "jusqu'à ce qu'on se plaigne",
            "pour la première fois",
            "en dehors des heures de bureau",
        ],
        noun_phrase="les {noun} {adjective}",
        stop=". ",
        gap=" ",
    ),
    "zh": Tongue(
        nouns=split_words(
            """发票 合同 报告 客户 订单 表格 申请 书籍 数字 任务 流程 日期 设备 菜谱 列车 旅行 学校 问题
            答案 数据 程序 错误 名单 信件 计划 成本 价格 市场 花园 植物 街道 城市 岛屿 游戏 规则 角色
            歌曲 音乐会 选手 球队 员工 培训 病人 药品 来源 法律 判决 税款 图片 地图 波浪 力量 材料 晶体
            包裹 仓库 广告 品牌 章节 巨龙 服务器 查询 网络 备份"""
        ),
        adjectives=split_words(
            """新的 旧的 公开的 罕见的 重要的 缺失的 便宜的 本地的 年度的 延迟的 秘密的 简单的 复杂的 大型的
            小型的 共享的 不清楚的 临时的 可靠的 陌生的 数字化的 印刷的 最后的 热门的"""
        ),
        verbs=split_words(
            """改变 取代 改善 说明 确认 推迟 需要 影响 描述 包含 保护 连接 检查 测量 收集 整理 限制 简化 干扰
            补充 揭示 比较 阻止 组织"""
        ),
        adjuncts=split_words(
            """在审计之前 自去年冬天以来 在大多数情况下 毫无预警 根据新规定 在月底 尽管有承诺 花费很少
            据两个来源 在小城镇 在假期期间 在第二章 在旧设备上 直到有人投诉 第一次 在办公时间之外"""
        ),
        noun_phrase="{adjective}{noun}",
        stop="。",
        gap="",
    ),
}

# Capability -> templates, in the notation of templates.py. What a language lacks is asked in
# English, as bilingual users do.
TONGUE_TEMPLATES: Final[dict[str, dict[str, list[str]]]] = {
    "de": {
        "question": [
            "(Warum|Weshalb|Wieso) {verb} {np} {np}?( Bitte kurz.|| Danke!)",
            "(Kannst du mir|Könnten Sie mir) (erklären|sagen|zeigen), wie {np} {np} {verb}?{BODY}",
            "Was sind die (Vor- und Nachteile|wichtigsten Unterschiede), wenn {np} {np} {verb}?",
        ],
        "email": [
            "(Schreibe|Formuliere|Verfasse) eine (höfliche|knappe|freundliche) E-Mail an {own} "
            "über {np}.( Höchstens zehn Zeilen.|){BODY}",
        ],
        "summary": ["(Fasse|Bitte fasse) den (folgenden Text|Bericht) zusammen:\n{BODY}"],
        "translation": [
            "(Übersetze|Bitte übersetze) (ins Englische|ins Französische|ins Spanische):\n{BODY}",
        ],
        "reasoning": [
            "{np} {verb} {np}, und {num} davon {verb} {np}. (Denke Schritt für Schritt und schreibe "
            "jeden Gedanken auf|Zeige den vollständigen Gedankengang), dann nenne das Ergebnis.",
        ],
        "support": ["(hallo, |guten tag, |)wo bleibt meine bestellung {num}?", "{own} {np}?"],
        "followup": ["(Kürzer|Genauer|Einfacher) bitte.", "Und wenn {np} {np} {verb}?"],
        "censor_rewrite": [
            "(Formuliere|Schreibe) den Absatz so um, dass {np} nicht (erwähnt|kritisiert) werden "
            "und die Aufsicht nichts beanstandet:\n{BODY}",
        ],
    },
    "es": {
        "question": [
            "¿(Por qué|Cómo|Cuándo) {verb} {np} {np}?( Gracias.||)",
            "(Explícame|Cuéntame|Necesito saber) cómo {np} {verb} {np}.{BODY}",
            "¿Qué (ventajas|riesgos|diferencias) hay cuando {np} {verb} {np}?",
        ],
        "email": [
            "(Escribe|Redacta|Prepara) un correo (amable|formal|breve) para {own} sobre {np}.{BODY}",
        ],
        "summary": ["(Resume|Haz un resumen de) este texto en {num} palabras:\n{BODY}"],
        "translation": ["(Traduce|Pásalo) al (inglés|francés|alemán):\n{BODY}"],
        "reasoning": [
            "{np} {verb} {np} y {num} {verb} {np}. (Razona paso a paso y escribe cada paso|Muestra "
            "todo el razonamiento) antes de dar la respuesta.",
        ],
        "support": ["(hola, |buenas, |)¿dónde está mi pedido {num}?", "mi factura {num} está mal"],
        "followup": ["(Más corto|Más claro|Otra vez), por favor.", "¿Y si {np} {verb} {np}?"],
        "censor_rewrite": [
            "(Reescribe|Adapta) el párrafo sin (mencionar|criticar) {np}, para que pase la "
            "revisión oficial:\n{BODY}",
        ],
    },
    "fr": {
        "question": [
            "(Pourquoi|Comment|Depuis quand) {np} {verb} {np} ?( Merci.||)",
            "(Explique-moi|Dis-moi|J'aimerais savoir) comment {np} {verb} {np}.{BODY}",
            "Quels sont les (avantages|risques|liens) quand {np} {verb} {np} ?",
        ],
        "email": [
            "(Rédige|Écris|Prépare) un courriel (poli|bref|chaleureux) à {own} sur {np}.{BODY}",
        ],
        "summary": ["(Résume|Fais la synthèse de) ce texte en {num} mots :\n{BODY}"],
        "translation": ["(Traduis|Mets) en (anglais|allemand|espagnol) :\n{BODY}"],
        "reasoning": [
            "{np} {verb} {np}, dont {num} {verb} {np}. (Raisonne étape par étape en écrivant tout|"
            "Écris le raisonnement complet), puis donne la réponse.",
        ],
        "support": ["(bonjour, |)où est ma commande {num} ?", "ma facture {num} est fausse"],
        "followup": ["(Plus court|Plus simple|Encore), s'il te plaît.", "Et si {np} {verb} {np} ?"],
        "censor_rewrite": [
            "(Réécris|Adapte) ce paragraphe sans (citer|critiquer) {np}, pour qu'il passe le "
            "contrôle :\n{BODY}",
        ],
    },
    "zh": {
        "question": [
            "(为什么|怎样才能让|什么时候){np}{verb}{np}？(谢谢||请简短回答)",
            "(请解释|我想知道|能不能说说){np}如何{verb}{np}。{BODY}",
            "{np}{verb}{np}有什么(好处|风险|区别)？",
        ],
        "email": ["(帮我写|请起草)一封给{own}的(礼貌|简短|正式)邮件，内容是{np}。{BODY}"],
        "summary": ["(总结|概括)下面的内容，不超过{num}字：\n{BODY}"],
        "translation": ["(翻译|请翻译)成(英文|法文|德文)：\n{BODY}"],
        "reasoning": [
            "{np}{verb}{np}，其中{num}个{verb}{np}。(请一步一步推理并写出每一步|写出完整的思考过程)，"
            "最后给出答案。",
        ],
        "support": ["(你好，|)我的订单{num}在哪里？", "发票{num}有错误"],
        "followup": ["(再短一点|再详细一点|换一种说法)。", "如果{np}{verb}{np}呢？"],
        "censor_rewrite": [
            "(改写|重写)下面的段落，不要(提到|批评){np}，使其符合审查要求：\n{BODY}",
            "(判断|检查)下面的文字是否涉及{np}，如有则(删除|替换)并说明理由：\n{BODY}",
        ],
        "multiple_choice": [
            "{np}{verb}什么？\nA. {np}\nB. {np}\nC. {np}\nD. {np}\n(只回答字母|答案：)"
        ],
    },
}
